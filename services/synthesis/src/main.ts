import { runServiceProcess } from '@bbdistill/common';
import { synthesisProgram } from './program.js';

process.exitCode = await runServiceProcess(synthesisProgram);
