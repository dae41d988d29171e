/** Where a command writes what people and programs read; injected, so that tests can look. */
export interface Output {
  /** Results. */
  stdout(text: string): void;
  /** Progress and remarks. */
  stderr(text: string): void;
  /** Whether progress may be drawn over itself. */
  readonly interactive: boolean;
}

export const processOutput: Output = {
  stdout: (text) => void process.stdout.write(text.endsWith('\n') ? text : `${text}\n`),
  stderr: (text) => void process.stderr.write(text.endsWith('\n') ? text : `${text}\n`),
  interactive: process.stderr.isTTY ?? false,
};
