import { runServiceProcess } from '@bbdistill/common';
import { orchestratorProgram } from './program.js';

process.exitCode = await runServiceProcess(orchestratorProgram);
