import { returnFreedMemory } from '@bbdistill/compute';
import { main } from './program.js';

returnFreedMemory();
process.exitCode = await main(process.argv.slice(2));
