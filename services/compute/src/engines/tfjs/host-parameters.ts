import { elementsOfAll } from '../../network-shapes.js';
import type { TensorLayout } from '../../network-shapes.js';
import { FlatParameters } from '../flat-parameters.js';
import type { FlatState } from '../flat-parameters.js';
import type { Reading } from './reading.js';
import type { TfjsTrainer } from './trainer.js';

/** A network's vectors in the host's memory, where names, files and the other engines' checkpoints are dealt with. */
export class HostParameters {
  readonly state: FlatState;
  readonly flat: FlatParameters;

  /** Starts with the initial weights of the seed. */
  constructor(owner: string, layout: readonly TensorLayout[], seed: number, withAverages: boolean) {
    const trainable = elementsOfAll(layout.filter(({ isTrainable }) => isTrainable));
    const vector = () => new Float32Array(trainable);
    this.state = {
      values: vector(),
      firstMoments: vector(),
      secondMoments: vector(),
      averages: withAverages ? vector() : undefined,
      statistics: new Float32Array(elementsOfAll(layout) - trainable),
    };
    this.flat = new FlatParameters(owner, layout, this.state);
    this.flat.initialise(seed);
  }

  /** Gets the device's vectors. */
  *download(trainer: TfjsTrainer): Reading<FlatParameters> {
    const device = trainer.deviceState();
    for (const [key, tensor] of device) this.state[key]?.set(yield tensor);
    return this.flat;
  }

  bytes(): number {
    const { values, firstMoments, secondMoments, averages, statistics } = this.state;
    const vectors = [values, firstMoments, secondMoments, averages, statistics];
    return vectors.reduce((sum, vector) => sum + (vector?.byteLength ?? 0), 0);
  }
}
