/** A world in which nothing goes wrong by itself: the shipped times, a quiet network, a quick disk, no faults. */
import { NO_ARBITER, type SimOptions } from './options.ts';

export const QUIET_WORLD: Omit<SimOptions, 'groups'> = {
  seed: 1,
  minutes: 0,
  worldClass: 'default',
  nodes: ['controller-0', 'controller-1'],
  links: 3,
  domain: {
    policy: 'takeover',
    helloIntervalMs: 200,
    deadIntervalMs: 800,
    stopBoundMs: 300,
    stopGraceMs: 100,
    killVerifyMs: 100,
    linkDownDetectMs: 50,
    mainStallMsMax: 3000,
    waitIntervalMs: 5000,
    failureDebounceMs: 0,
  },
  secondDomain: {},
  arbiter: NO_ARBITER,
  network: { loss: 0, delayMinMs: 0.2, delayMaxMs: 0.6, duplication: 0, lateDuplication: 0 },
  disk: { commitMsMin: 0.5, commitMsMax: 2 },
  clockRates: [1, 1],
  carrierLateness: 1,
  faults: {},
  breaks: [],
};
