import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { EXAMPLES, FEWEST, lint, render } from './chart.js';
import type { RenderOptions } from './chart.js';
import { openApis } from './open-api.js';

/** Kinds that come with operators, which Kubernetes itself doesn't describe. */
const OF_OPERATORS = ['ServiceMonitor', 'PrometheusRule', 'ScaledObject'];

const examples = readdirSync(EXAMPLES).filter((name) => name.endsWith('.yaml'));
const cases: Record<string, RenderOptions> = {
  ...Object.fromEntries(examples.map((name) => [name, { values: [join(EXAMPLES, name)] }])),
  'the fewest values': { set: FEWEST },
  'everything that can be switched on': {
    set: [
      ...FEWEST,
      'orchestrator.replicas=3',
      'nats.replicas=3',
      'scaler.maxReplicas=2',
      'teacherProxy.autoscaling.mode=hpa',
      'teacherProxy.autoscaling.minReplicas=2',
      'monitoring.prometheusRule.enabled=true',
      'monitoring.serviceMonitor.enabled=true',
      'monitoring.dashboard.enabled=true',
      'networkPolicy.prometheus[0].namespaceSelector.matchLabels.name=monitoring',
      'teachers.config.metered.adapter=fake',
      'tests.planTeacher=metered',
      'tls.existingSecret=tls',
      'tls.mutual=true',
      'extraObjects[0].apiVersion=v1',
      'extraObjects[0].kind=ConfigMap',
      'extraObjects[0].metadata.name=own',
      'imagePullSecrets={pull}',
      'orchestrator.extraEnv[0].name=HTTPS_PROXY',
      'orchestrator.extraEnv[0].value=http://proxy:3128',
    ],
  },
  'everything that can be switched off': {
    set: [
      'auth.allowInsecure=true',
      'scaler.enabled=false',
      'networkPolicy.enabled=false',
      'telemetry.metrics=false',
      'synthesis.gpu.enabled=false',
      'studentTrainer.gpu.enabled=false',
    ],
  },
};

const versions = openApis();

describe.each(Object.entries(cases))('the chart with %s', (_name, options) => {
  test('passes the linter', () => {
    const { ok, stdout, stderr } = lint(options);
    expect(ok, stdout + stderr).toBe(true);
  });

  test.each(versions)('renders what Kubernetes $release takes', (version) => {
    const objects = render(options);
    expect(objects.length).toBeGreaterThan(10);
    for (const object of objects) {
      const found = version.faults(object);
      if (OF_OPERATORS.includes(object.kind)) expect(found, object.kind).toBeUndefined();
      else expect(found, `${object.kind} ${object.metadata.name}`).toEqual([]);
    }
  });
});

describe('the OpenAPI check itself', () => {
  const [deployment] = render({ set: FEWEST }).filter(({ kind }) => kind === 'Deployment');

  test.each(versions)(
    'of Kubernetes $release refuses an unknown field, a wrong type and a missing field',
    (version) => {
      const changed = (change: (spec: Record<string, unknown>) => void) => {
        const copy = structuredClone(deployment!);
        change(copy['spec'] as Record<string, unknown>);
        return version.faults(copy);
      };
      expect(changed((spec) => (spec['replica'] = 1))).not.toEqual([]);
      expect(changed((spec) => (spec['replicas'] = '1'))).not.toEqual([]);
      expect(changed((spec) => delete spec['selector'])).not.toEqual([]);
      expect(changed(() => undefined)).toEqual([]);
    },
  );

  test('covers the oldest version that the chart promises and the one that the cluster tests run', () => {
    expect(versions.map(({ release }) => release.split('.').slice(0, 2).join('.'))).toEqual(['1.29', '1.37']);
  });
});
