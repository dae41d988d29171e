import { ConflictError, ManualClock, UnavailableError, silentLogger } from '@bbdistill/common';
import { describe, expect, test } from 'vitest';
import type { PodView } from './pods.js';
import { SCALED_MEANWHILE, Scaler, wantedReplicas } from './scaler.js';
import type { Demand, Scale, WorkerCluster } from './scaler.js';
import { WorkerWaits } from './waits.js';
import type { Worker } from './workers.js';

const IDLE_MS = 60_000;
const limits = { maxReplicas: 3, idleMs: IDLE_MS };
const demand = (jobs: number, unacknowledged = jobs): Demand => ({ jobs, unacknowledged });

describe('wanted replicas', () => {
  test.each([
    { name: 'a job gives a worker a pod', replicas: 0, demand: demand(1), idleForMs: 0, wanted: 1 },
    { name: 'each job one', replicas: 1, demand: demand(3), idleForMs: 0, wanted: 3 },
    { name: 'not more than the maximum', replicas: 1, demand: demand(7), idleForMs: 0, wanted: 3 },
    {
      name: 'fewer jobs end no pod, which might be the busy one',
      replicas: 3,
      demand: demand(1),
      idleForMs: 0,
      wanted: 3,
    },
    { name: 'more pods than allowed stay while they work', replicas: 5, demand: demand(1), idleForMs: 0, wanted: 5 },
    {
      name: 'nothing to do for less than the idle time',
      replicas: 2,
      demand: demand(0),
      idleForMs: IDLE_MS - 1,
      wanted: 2,
    },
    { name: 'nothing to do for the idle time', replicas: 2, demand: demand(0), idleForMs: IDLE_MS, wanted: 0 },
    { name: 'a job of no run keeps its pod', replicas: 1, demand: demand(0, 1), idleForMs: IDLE_MS, wanted: 1 },
    {
      name: 'what a cancelled run left in the queue starts no pod',
      replicas: 0,
      demand: demand(0, 1),
      idleForMs: 0,
      wanted: 0,
    },
  ])('$name', ({ replicas, demand, idleForMs, wanted }) => {
    expect(wantedReplicas({ replicas, demand, idleForMs }, limits)).toBe(wanted);
  });
});

function setUp() {
  const clock = new ManualClock();
  const jobs: Record<Worker, number> = { synthesis: 0, 'student-trainer': 0 };
  const replicas: Record<Worker, number> = { synthesis: 0, 'student-trainer': 0 };
  const pods: PodView[] = [];
  const state: { failure?: Error; conflict?: boolean; changes: string[]; warnings: string[] } = {
    changes: [],
    warnings: [],
  };
  const cluster: WorkerCluster = {
    async scaleOf(worker) {
      if (state.failure) throw state.failure;
      return { replicas: replicas[worker], revision: '1', selector: `app=${worker}` };
    },
    async setReplicas(worker, _scale: Scale, wanted) {
      if (state.conflict) throw new ConflictError('late', { code: SCALED_MEANWHILE });
      state.changes.push(`${worker} ${replicas[worker]} → ${wanted}`);
      replicas[worker] = wanted;
    },
    podsOf: async () => pods,
    warningsOf: async () => state.warnings,
  };
  const waits = new WorkerWaits();
  const reasons: (string | undefined)[] = [];
  const notices: string[] = [];
  waits.listen('student-trainer', {
    onReason: (reason) => reasons.push(reason),
    onNotice: (notice) => notices.push(notice),
  });
  /** Beside those of runs. */
  const left: Record<Worker, number> = { synthesis: 0, 'student-trainer': 0 };
  const demandOf = async (worker: Worker) => demand(jobs[worker], jobs[worker] + left[worker]);
  const scaler = new Scaler({
    cluster,
    demandOf,
    waits,
    clock,
    logger: silentLogger,
    idleMs: IDLE_MS,
    maxReplicas: 2,
  });
  return { scaler, clock, jobs, left, replicas, pods, state, reasons, notices };
}

const pod = (change: Partial<PodView>): PodView => ({
  name: 'trainer-0',
  uid: 'a',
  createdAtMs: 1,
  isReady: false,
  isLeaving: false,
  ...change,
});

describe('the scaler', () => {
  test('scales up when a job waits and to zero only after the idle time', async () => {
    const { scaler, clock, jobs, state } = setUp();
    await scaler.look();
    expect(state.changes).toEqual([]);
    jobs['student-trainer'] = 1;
    await scaler.look();
    jobs['student-trainer'] = 0;
    await scaler.look();
    await clock.advance(IDLE_MS - 1);
    await scaler.look();
    expect(state.changes).toEqual(['student-trainer 0 → 1']);
    await clock.advance(1);
    await scaler.look();
    expect(state.changes).toEqual(['student-trainer 0 → 1', 'student-trainer 1 → 0']);
  });

  test.each([
    { name: 'a pod that finds no node is not kept for what a cancelled run left', isReady: false, after: 0 },
    { name: 'a pod that works takes it out, and is kept until then', isReady: true, after: 1 },
  ])('$name', async ({ isReady, after }) => {
    const { scaler, clock, jobs, left, replicas, pods } = setUp();
    jobs['student-trainer'] = 1;
    await scaler.look();
    pods.push(pod({ isReady }));
    jobs['student-trainer'] = 0;
    left['student-trainer'] = 1;
    await scaler.look();
    await clock.advance(IDLE_MS);
    await scaler.look();
    expect(replicas['student-trainer']).toBe(after);
  });

  test('counts the idle time anew after each job', async () => {
    const { scaler, clock, jobs, replicas } = setUp();
    replicas['student-trainer'] = 1;
    await scaler.look();
    await clock.advance(IDLE_MS - 1);
    jobs['student-trainer'] = 1;
    await scaler.look();
    jobs['student-trainer'] = 0;
    await clock.advance(IDLE_MS - 1);
    await scaler.look();
    expect(replicas['student-trainer']).toBe(1);
  });

  test('of an orchestrator that has just started doesn’t take the time before for idle', async () => {
    const { scaler, clock, replicas } = setUp();
    replicas.synthesis = 1;
    await clock.advance(10 * IDLE_MS);
    await scaler.look();
    expect(replicas.synthesis).toBe(1);
  });

  test('says why a pod waits, and that it no longer does', async () => {
    const { scaler, jobs, pods, reasons } = setUp();
    jobs['student-trainer'] = 1;
    await scaler.look();
    pods.push(pod({ unschedulable: '0/2 nodes are available: 2 Insufficient nvidia.com/gpu.' }));
    await scaler.look();
    await scaler.look();
    pods[0] = pod({ isReady: true });
    await scaler.look();
    expect(reasons).toEqual([
      undefined,
      'no pod has been made yet',
      'pod trainer-0 finds no node: 0/2 nodes are available: 2 Insufficient nvidia.com/gpu.',
      undefined,
    ]);
  });

  test('tells an eviction once', async () => {
    const { scaler, jobs, pods, notices } = setUp();
    jobs['student-trainer'] = 1;
    pods.push(pod({ evicted: 'The node was low on resource: memory.' }), pod({ name: 'trainer-1', uid: 'b' }));
    await scaler.look();
    await scaler.look();
    expect(notices).toEqual(['student-trainer: pod trainer-0 was evicted: The node was low on resource: memory.']);
    pods[1] = pod({ name: 'trainer-1', uid: 'b', evicted: 'again' });
    await scaler.look();
    expect(notices).toHaveLength(2);
  });

  test('survives an outage: shows it, and goes on where it was', async () => {
    const { scaler, jobs, state, reasons } = setUp();
    jobs['student-trainer'] = 1;
    state.failure = new UnavailableError('the Kubernetes API can’t be reached');
    await scaler.look();
    expect(reasons.at(-1)).toBe('the Kubernetes API can’t be reached');
    delete state.failure;
    await scaler.look();
    expect(state.changes).toEqual(['student-trainer 0 → 1']);
  });

  test('lets another orchestrator be faster', async () => {
    const { scaler, jobs, state, reasons } = setUp();
    jobs['student-trainer'] = 1;
    state.conflict = true;
    await scaler.look();
    expect(reasons).toEqual([undefined]);
    state.conflict = false;
    await scaler.look();
    expect(state.changes).toEqual(['student-trainer 0 → 1']);
  });

  test('looks again after each interval until it is stopped, and leaves the pods as they are', async () => {
    const { scaler, clock, jobs, replicas } = setUp();
    jobs['student-trainer'] = 1;
    scaler.start();
    await clock.advance(0);
    expect(replicas['student-trainer']).toBe(1);
    jobs.synthesis = 1;
    await clock.advance(5_000);
    await clock.advance(5_000);
    expect(replicas.synthesis).toBe(1);
    await scaler.stop();
    expect(clock.sleeping).toBe(0);
    expect(replicas).toEqual({ synthesis: 1, 'student-trainer': 1 });
  });
});
