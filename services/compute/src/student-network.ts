import { InvalidArgumentError, describeShape, sameShape } from '@bbdistill/common/base';
import type { ImageShape } from '@bbdistill/common/base';
import type { NetworkSpec } from './engine.js';
import type { TrainedWeights } from './export/weights.js';
import { assertNetworkName, networkByName } from './networks.js';
import { networkFromTopology } from './topology/index.js';

/** What network a student has: one of ours by name, or a user's own. */
export interface StudentChoice {
  /** With a topology: empty, or the topology's own name. */
  network: string;
  /** JSON of a Keras model, as `topologyOf` gives it; empty for a network of ours. */
  topology: string;
}

/**
 * Refuses what can be no student, whatever the images are.
 * @returns the name of its network
 * @throws InvalidArgumentError, TopologyLayerError
 */
export function assertStudent({ network, topology }: StudentChoice, classes: number): string {
  if (topology === '') {
    if (network === '') throw new InvalidArgumentError('student.network is missing');
    assertNetworkName(network);
    return network;
  }
  const own = networkFromTopology(topology);
  if (network !== '' && network !== own.name) {
    throw new InvalidArgumentError(
      `student.network is '${network}' and student.topology is a network '${own.name}' of its own: give one of them`,
    );
  }
  if (own.classes !== classes) {
    throw new InvalidArgumentError(
      `student.topology has ${own.classes} outputs and classes is ${classes}: make them the same`,
      { code: 'TOPOLOGY_CLASSES' },
    );
  }
  return own.name;
}

/** The network for images of this shape. @throws InvalidArgumentError, TopologyLayerError */
export function studentNetwork(choice: StudentChoice, shape: ImageShape, classes: number): NetworkSpec {
  if (choice.topology === '') return networkByName(choice.network, shape, classes);
  assertStudent(choice, classes);
  const network = networkFromTopology(choice.topology);
  if (sameShape(network.input, shape)) return network;
  throw new InvalidArgumentError(
    `student.topology takes images of ${describeShape(network.input)} and the images are ${describeShape(shape)}: ` +
      'resize the images, or change batch_input_shape of its first layer',
    { code: 'SHAPE_MISMATCH' },
  );
}

/** The network that these weights are of. @throws InvalidArgumentError, TopologyLayerError */
export function networkOfWeights({ network, topology = '', shape, classes }: TrainedWeights): NetworkSpec {
  return studentNetwork({ network, topology }, shape, classes);
}
