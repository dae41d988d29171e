import { runServiceProcess } from '@bbdistill/common';
import { trainerProgram } from './program.js';

process.exitCode = await runServiceProcess(trainerProgram);
