import { main } from '@bbdistill/cli';
import type { Output } from '../../services/cli/src/output.js';

export interface CliResult {
  exitCode: number;
  stdout: string;
  stderr: string;
}

/** The command line in this process, with what it printed. */
export async function runCli(...argv: string[]): Promise<CliResult> {
  let stdout = '';
  let stderr = '';
  const output: Output = {
    stdout: (text) => void (stdout += `${text}\n`),
    stderr: (text) => void (stderr += `${text}\n`),
    interactive: false,
  };
  const exitCode = await main(argv, output);
  return { exitCode, stdout, stderr };
}
