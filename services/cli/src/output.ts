import { EXIT } from '@bbdistill/common';

/** Where a command writes what people and programs read; injected, so that tests can look. */
export interface Output {
  /** Results. */
  stdout(text: string): void;
  /** Progress and remarks. */
  stderr(text: string): void;
  /** Whether progress may be drawn over itself. */
  readonly interactive: boolean;
}

/** The streams of this process. Where results are lost, e.g. on a full disk, it does not end as if all were well. */
export function processOutput(): Output {
  const stderr = lineWriter(process.stderr);
  const onLost = (error: Error) => {
    stderr(`standard output can't be written to: ${error.message}`);
    process.once('exit', () => (process.exitCode ||= EXIT.internal));
  };
  return {
    stdout: lineWriter(process.stdout, onLost),
    stderr,
    interactive: process.stderr.isTTY ?? false,
  };
}

/**
 * Writes lines for as long as somebody takes them. Who reads may go first: `head` has enough, and Ctrl-C reaches `tee`
 * before a run has ended its calls. An error nobody listens to would end the process with those calls paid and lost.
 * @param onLost told of what is no mere end of the reading, such as a full disk
 */
export function lineWriter(stream: NodeJS.WritableStream, onLost?: (error: Error) => void): (text: string) => void {
  let isGone = false;
  const onError = (error: NodeJS.ErrnoException) => {
    if (isGone) return;
    isGone = true;
    if (error.code !== 'EPIPE') onLost?.(error);
  };
  // Never taken off: bars and logs write to the same stream, and errors come after the write.
  stream.on('error', onError);
  return (text) => {
    if (isGone) return;
    try {
      stream.write(text.endsWith('\n') ? text : `${text}\n`);
    } catch (error) {
      // Node 20 throws at once where the stream is a file.
      onError(error as NodeJS.ErrnoException);
    }
  };
}
