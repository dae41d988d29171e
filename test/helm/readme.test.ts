import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { FEWEST, render } from './chart.js';
import { tryRun } from './toolchain.js';

test('the chart’s README says what values.yaml says', () => {
  const script = fileURLToPath(new URL('../../scripts/chart-readme.mjs', import.meta.url));
  const { ok, stderr } = tryRun(process.execPath, [script, '--check']);
  expect(ok, stderr).toBe(true);
});

test.each(['alerts.yaml', 'dashboard.json'])('the chart carries %s as it is in deploy/observability', (name) => {
  const read = (path: string) => readFileSync(fileURLToPath(new URL(`../../${path}/${name}`, import.meta.url)), 'utf8');
  // Helm reads nothing outside of the chart: copy it to helm/bbdistill/files when it changes.
  expect(read('helm/bbdistill/files')).toBe(read('deploy/observability'));
});

test('dashboard and alerts reach the cluster', () => {
  const set = [...FEWEST, 'monitoring.dashboard.enabled=true', 'monitoring.prometheusRule.enabled=true'];
  const objects = render({ set });
  const dashboard = objects.find(({ metadata }) => metadata.name === 'demo-bbdistill-dashboard')!;
  const text = (dashboard['data'] as Record<string, string>)['bbdistill.json']!;
  expect((JSON.parse(text) as { panels: unknown[] }).panels.length).toBeGreaterThan(3);
  const { groups } = objects.find(({ kind }) => kind === 'PrometheusRule')!['spec'] as { groups: { name: string }[] };
  expect(groups.length).toBeGreaterThan(1);
});
