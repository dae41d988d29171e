import type {
  DistillationServiceDefinition,
  DistillationServiceHandlers,
} from '../gen/bbdistill/v1/DistillationService.js';
import type {
  StudentTrainerServiceDefinition,
  StudentTrainerServiceHandlers,
} from '../gen/bbdistill/v1/StudentTrainerService.js';
import type { SynthesisServiceDefinition, SynthesisServiceHandlers } from '../gen/bbdistill/v1/SynthesisService.js';
import type { TeacherServiceDefinition, TeacherServiceHandlers } from '../gen/bbdistill/v1/TeacherService.js';
import type {
  GRPCInferenceServiceDefinition,
  GRPCInferenceServiceHandlers,
} from '../gen/inference/GRPCInferenceService.js';

/**
 * What the generator says of each service. It takes both of its types: only the definition has the four message
 * types of a method, and only the handlers tell which sides stream.
 */
interface GeneratedTypes {
  'bbdistill.v1.DistillationService': {
    definition: DistillationServiceDefinition;
    handlers: DistillationServiceHandlers;
  };
  'bbdistill.v1.StudentTrainerService': {
    definition: StudentTrainerServiceDefinition;
    handlers: StudentTrainerServiceHandlers;
  };
  'bbdistill.v1.SynthesisService': { definition: SynthesisServiceDefinition; handlers: SynthesisServiceHandlers };
  'bbdistill.v1.TeacherService': { definition: TeacherServiceDefinition; handlers: TeacherServiceHandlers };
  'inference.GRPCInferenceService': {
    definition: GRPCInferenceServiceDefinition;
    handlers: GRPCInferenceServiceHandlers;
  };
}

/** Full name of a service of `proto/`. */
export type ServiceName = keyof GeneratedTypes;

type Declared<T> = keyof { [K in keyof T as string extends K ? never : number extends K ? never : K]: T[K] };

/** Names of a service's methods, as in its .proto file. */
export type MethodName<S extends ServiceName> = Declared<GeneratedTypes[S]['handlers']> & string;

type Handler<S extends ServiceName, M extends MethodName<S>> = GeneratedTypes[S]['handlers'][M & string];

export type RpcShape = 'unary' | 'serverStream' | 'clientStream' | 'bidi';

/** Which sides of a method stream. */
export type ShapeOf<S extends ServiceName, M extends MethodName<S>> =
  Handler<S, M> extends (call: infer Call, ...rest: infer Rest) => void
    ? 'request' extends keyof Call
      ? Rest extends [unknown]
        ? 'unary'
        : 'serverStream'
      : Rest extends [unknown]
        ? 'clientStream'
        : 'bidi'
    : never;

/** The methods of one shape. */
export type MethodsOfShape<S extends ServiceName, Shape extends RpcShape> = {
  [M in MethodName<S>]: ShapeOf<S, M> extends Shape ? M : never;
}[MethodName<S>];

type Definition<S extends ServiceName, M extends MethodName<S>> = GeneratedTypes[S]['definition'][M & string];
type Written<T> = T extends (value: infer Message) => Buffer ? Message : never;
type Read<T> = T extends (bytes: Buffer) => infer Message ? Message : never;

/** A request as a client writes it: fields may be left out. */
export type RequestOf<S extends ServiceName, M extends MethodName<S>> = Written<Definition<S, M>['requestSerialize']>;
/** A request as a handler reads it: every field is there. */
export type RequestReadOf<S extends ServiceName, M extends MethodName<S>> = Read<
  Definition<S, M>['requestDeserialize']
>;
/** A response as a handler writes it: fields may be left out. */
export type ResponseOf<S extends ServiceName, M extends MethodName<S>> = Written<Definition<S, M>['responseSerialize']>;
/** A response as a client reads it: every field is there. */
export type ResponseReadOf<S extends ServiceName, M extends MethodName<S>> = Read<
  Definition<S, M>['responseDeserialize']
>;
