import { Writable } from 'node:stream';

// eslint-disable-next-line no-control-regex
const SEQUENCE = /\u001B\[(\??)(\d*)(?:;\d+)*([A-Za-z])|([^])/gu;

/** A terminal as a stream that shows what stands on it: no wrapping, and of the control sequences those of bars. */
export class Screen extends Writable {
  readonly isTTY = true;
  readonly #rows: string[][] = [[]];
  #row = 0;
  #column = 0;

  constructor(readonly columns = 80) {
    super({ decodeStrings: false });
  }

  /** What stands there, top to bottom. */
  get text(): string {
    return this.#rows.map((row) => row.join('').trimEnd()).join('\n');
  }

  override _write(chunk: Buffer | string, _encoding: string, done: () => void): void {
    for (const [, isPrivate, number, command, character] of chunk.toString().matchAll(SEQUENCE)) {
      if (character !== undefined) this.#put(character);
      else if (!isPrivate) this.#obey(command!, Number(number));
    }
    done();
  }

  #put(character: string): void {
    if (character === '\n') {
      this.#row++;
      this.#column = 0;
      this.#rows[this.#row] ??= [];
    } else if (character === '\r') this.#column = 0;
    else if (this.#column < this.columns) {
      const row = this.#rows[this.#row]!;
      while (row.length < this.#column) row.push(' ');
      row[this.#column++] = character;
    }
  }

  #obey(command: string, number: number): void {
    if (command === 'A') this.#row = Math.max(0, this.#row - (number || 1));
    if (command === 'G') this.#column = (number || 1) - 1;
    if (command === 'K')
      this.#rows[this.#row]!.length = number === 2 ? 0 : Math.min(this.#column, this.#rows[this.#row]!.length);
    if (command === 'J') this.#rows.length = this.#row + 1;
  }
}
