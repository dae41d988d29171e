import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { describeWithPrometheus, runPromtool } from '../helpers/prometheus.js';
import { temporaryFolder } from '../helpers/temporary-folder.js';
import { FEWEST, render } from './chart.js';

const KEDA = ['teacherProxy.autoscaling.mode=keda', 'teacherProxy.autoscaling.keda.prometheusAddress=http://p:9090'];
const HPA = ['teacherProxy.autoscaling.mode=hpa', 'monitoring.prometheusRule.enabled=true'];

const pods = (namespace: string, count: number) =>
  Array.from({ length: count }, (_, n) => `namespace="${namespace}",pod="demo-bbdistill-teacher-proxy-${n}"`);

/** Whether the query asks for so many, by promtool: where each replica tells of `shards`, and the limit is used so far. */
async function evaluate(expr: string, state: { replicas: number; shards: number; used: number; asked: number }) {
  const { replicas, shards, used, asked } = state;
  const own = pods('distill', replicas);
  const series = [
    ...own.map((labels) => ({ series: `up{${labels}}`, values: '1x5' })),
    ...own.map((labels) => ({ series: `bbdistill_label_backlog_shards{${labels}}`, values: `${shards}x5` })),
    ...own.map((labels) => ({ series: `bbdistill_limiter_utilisation_ratio{${labels}}`, values: `${used}x5` })),
    // It takes no notice of another release's.
    ...pods('elsewhere', 1).map((labels) => ({ series: `bbdistill_label_backlog_shards{${labels}}`, values: '999x5' })),
  ];
  const exprTest = { expr, eval_time: '3m', exp_samples: [{ labels: '{}', value: asked }] };
  await using folder = await temporaryFolder();
  const file = join(folder.path, 'asked.yaml');
  const tests = [{ interval: '1m', input_series: series, promql_expr_test: [exprTest] }];
  await writeFile(file, JSON.stringify({ rule_files: [], tests }));
  return runPromtool('test', 'rules', file);
}

describeWithPrometheus('the number of teacher-proxy replicas', () => {
  const [scaled] = render({ set: [...FEWEST, ...KEDA] }).filter(({ kind }) => kind === 'ScaledObject');
  const [{ metadata }] = (scaled!['spec'] as { triggers: [{ metadata: { query: string } }] }).triggers;

  it('is asked for by the same expression of KEDA and of the HPA', () => {
    const [rule] = render({ set: [...FEWEST, ...HPA] }).filter(({ kind }) => kind === 'PrometheusRule');
    const { groups } = rule!['spec'] as { groups: { rules: { record?: string; expr: string }[] }[] };
    const rules = groups.flatMap((group) => group.rules);
    expect(rules.find(({ record }) => record === 'bbdistill_teacher_proxy_wanted_replicas')?.expr).toBe(metadata.query);
  });

  it.each([
    { when: 'nothing waits', replicas: 2, shards: 0, used: 0, asked: 0 },
    // Every replica tells of all shards: 9 of them, not 9 of each.
    { when: 'three replicas tell of nine shards', replicas: 3, shards: 9, used: 0.1, asked: 3 },
    { when: 'the limit is used up', replicas: 2, shards: 20, used: 0.95, asked: 2 },
    { when: 'the limit is used up and less would do', replicas: 3, shards: 4, used: 0.95, asked: 1 },
  ])('is $asked where $when', async (state) => {
    const evaluated = await evaluate(metadata.query, state);
    expect(evaluated, evaluated.output).toMatchObject({ status: 0 });
  });
});
