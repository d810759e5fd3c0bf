/** A runner with real processes, in a directory of its own, and waiting for what it reports. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RunEffect, RunOutcome } from '../../src/core/service/interface.ts';
import { Containment } from '../../src/shell/exec/containment.ts';
import { readStat } from '../../src/shell/exec/procfs.ts';
import { Runner, type RunnerOptions } from '../../src/shell/exec/runner.ts';

export interface Done {
  readonly outcome: RunOutcome;
  readonly tail: string;
  readonly durationMs: number;
}

export const clock = { now: () => performance.now() };

/** Waits until `condition` holds, looking every few milliseconds, and fails after the deadline. */
export async function until(what: string, condition: () => boolean, deadlineMs = 8000): Promise<void> {
  const end = performance.now() + deadlineMs;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`waited ${deadlineMs} ms in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 3));
  }
}

export function isRunning(pid: number): boolean {
  return readStat(pid)?.alive === true;
}

export class ExecLab {
  readonly path = mkdtempSync(join(tmpdir(), 'sm-exec-'));
  readonly run = join(this.path, 'run');
  readonly lsb = join(this.path, 'init.d');
  readonly ocfRoot = join(this.path, 'ocf');
  readonly containment: Containment;
  readonly runner: Runner;
  readonly #done = new Map<number, Done>();
  #next = 1;

  constructor(cgroups: 'auto' | 'off', options: Partial<RunnerOptions> = {}) {
    for (const directory of [this.run, this.lsb, join(this.ocfRoot, 'resource.d', 'test')]) {
      mkdirSync(directory, { recursive: true });
    }
    this.containment = new Containment({ node: 'controller-0', run: this.run, cgroups });
    this.runner = new Runner({
      directories: { lsb: this.lsb, ocfRoot: this.ocfRoot, run: this.run },
      clock,
      containment: this.containment,
      graceMs: 200,
      onDone: (run, outcome, tail, durationMs) => this.#done.set(run, { outcome, tail, durationMs }),
      ...options,
    });
  }

  file(name: string): string {
    return join(this.path, name);
  }

  /** An LSB script with this text after `#!/bin/sh`. */
  script(name: string, text: string, mode = 0o755): string {
    const path = join(this.lsb, name);
    writeFileSync(path, `#!/bin/sh\n${text}\n`);
    chmodSync(path, mode);
    return path;
  }

  effect(pluginName: string, change: Partial<RunEffect> = {}): RunEffect {
    return {
      type: 'run',
      run: this.#next++,
      service: pluginName,
      action: 'enable',
      pluginType: 'lsb-script',
      pluginClass: '',
      pluginName,
      command: 'start',
      environment: {},
      timeoutMs: 20_000,
      token: null,
      exclusive: false,
      pidFile: '',
      kernelState: false,
      ...change,
    };
  }

  start(pluginName: string, change: Partial<RunEffect> = {}): number {
    const effect = this.effect(pluginName, change);
    this.runner.run(effect);
    return effect.run;
  }

  async done(run: number, deadlineMs = 8000): Promise<Done> {
    await until(`end of run ${run}`, () => this.#done.has(run), deadlineMs);
    return this.#done.get(run)!;
  }

  hasEnded(run: number): boolean {
    return this.#done.has(run);
  }

  execute(pluginName: string, change: Partial<RunEffect> = {}): Promise<Done> {
    return this.done(this.start(pluginName, change));
  }

  /** Kills whatever the test left running. */
  async close(services: readonly string[]): Promise<void> {
    for (const service of services) await this.runner.killService(service, 'end of the test');
    await until('every script ended', () => this.runner.running() === 0);
    this.runner.stop();
    this.containment.close();
    rmSync(this.path, { recursive: true, force: true });
  }
}
