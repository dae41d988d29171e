import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import type { ValidateFunction } from 'ajv';
import { findToolchain } from './toolchain.js';
import type { KubernetesObject } from './chart.js';

interface Definition {
  type?: string;
  format?: string;
  properties?: Record<string, Definition>;
  additionalProperties?: Definition | boolean;
  items?: Definition;
  $ref?: string;
  'x-kubernetes-preserve-unknown-fields'?: boolean;
  'x-kubernetes-group-version-kind'?: { group: string; version: string; kind: string }[];
}

const QUANTITY = 'io.k8s.apimachinery.pkg.api.resource.Quantity';

/** The objects of one version of Kubernetes, as its API server knows them; unknown fields are faults. */
export interface OpenApi {
  release: string;
  /** @returns the faults; `undefined` where this version has no such kind */
  faults(object: KubernetesObject): string[] | undefined;
}

/** The versions that `npm run setup:helm` got, the oldest first. */
export function openApis(): OpenApi[] {
  return findToolchain('helm').openApis.map(({ release, path }) => {
    const { definitions } = JSON.parse(readFileSync(path, 'utf8')) as { definitions: Record<string, Definition> };
    const strictly = Object.fromEntries(Object.entries(definitions).map(([name, each]) => [name, strict(each)]));
    // Written down as a text, but a number is read as well.
    const schema = { definitions: { ...strictly, [QUANTITY]: { type: ['string', 'number'] } } };
    const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false });
    ajv.addSchema(schema, 'kubernetes');
    const byKind = new Map(
      Object.entries(definitions).flatMap(([name, definition]) =>
        (definition['x-kubernetes-group-version-kind'] ?? []).map(({ group, version, kind }) => [
          `${group === '' ? version : `${group}/${version}`} ${kind}`,
          name,
        ]),
      ),
    );
    const compiled = new Map<string, ValidateFunction>();
    return {
      release,
      faults(object) {
        const name = byKind.get(`${object.apiVersion} ${object.kind}`);
        if (name === undefined) return undefined;
        const validate = compiled.get(name) ?? ajv.compile({ $ref: `kubernetes#/definitions/${name}` });
        compiled.set(name, validate);
        if (validate(object)) return [];
        return (validate.errors ?? []).map(
          ({ instancePath, message, params }) => `${instancePath || '/'} ${message} ${JSON.stringify(params)}`,
        );
      },
    };
  });
}

/** As the API server reads it: nothing unknown, and the types that stand for several. */
function strict(definition: Definition): object {
  if (definition.format === 'int-or-string') return { type: ['string', 'integer'] };
  const { properties, items, additionalProperties } = definition;
  const part = (value: Definition) => (value.$ref ? { $ref: `kubernetes${value.$ref}` } : strict(value));
  return {
    ...definition,
    ...(properties && { properties: Object.fromEntries(Object.entries(properties).map(([k, v]) => [k, part(v)])) }),
    ...(items && { items: part(items) }),
    ...(typeof additionalProperties === 'object' && { additionalProperties: part(additionalProperties) }),
    ...(properties && !definition['x-kubernetes-preserve-unknown-fields'] && { additionalProperties: false }),
  };
}
