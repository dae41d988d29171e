import type { BlobStore } from '@bbdistill/common';

const MAX_REPORTS = 256;
/** A longer one is read anew every time. */
const MAX_REPORT_CHARACTERS = 64 * 1024;

/** The texts of report.json of runs that ended lately: whoever waits for a run asks for them at once. */
export class RecentReports {
  /** By content, the one that was asked for last at the end. */
  readonly #texts = new Map<string, string>();

  constructor(private readonly blobs: Pick<BlobStore, 'get'>) {}

  keep(sha256: string, bytes: Uint8Array): string {
    const text = new TextDecoder().decode(bytes);
    this.#texts.delete(sha256);
    if (text.length <= MAX_REPORT_CHARACTERS) this.#texts.set(sha256, text);
    for (const oldest of this.#texts.keys()) {
      if (this.#texts.size <= MAX_REPORTS) break;
      this.#texts.delete(oldest);
    }
    return text;
  }

  /** @throws NotFoundError where it is neither here nor stored */
  async read(sha256: string): Promise<string> {
    const known = this.#texts.get(sha256);
    if (known === undefined) return this.keep(sha256, await this.blobs.get(sha256));
    this.#texts.delete(sha256);
    this.#texts.set(sha256, known);
    return known;
  }
}
