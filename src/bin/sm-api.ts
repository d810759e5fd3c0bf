#!/usr/bin/env -S node --max-semi-space-size=4
/**
 * The REST server of one node: a process of its own, so that no caller can be a load for `sm`. Its first line bounds the space
 * for young objects, MiB: node lets it grow to 16 under load, for 20 MiB more and no request more in a second.
 */
import { parseArgs } from 'node:util';
import { type RunningApi, runApi } from '../api/run.ts';
import type { ErrorCode } from '../core/kernel/errors.ts';
import { CONFIG_PATH, loadConfig } from '../shell/config.ts';
import { EXIT_CONFIG, EXIT_SOFTWARE, EXIT_UNAVAILABLE, EXIT_USAGE } from '../shell/exit-codes.ts';
import { createLogger } from '../shell/log.ts';
import { VERSION } from '../shell/version.ts';

const HELP = `Usage: sm-api [--config FILE]

Serves the REST API of this node: StarlingX's names, and more beside them (docs/reference/api.md).

  --config FILE  configuration (default ${CONFIG_PATH}); the keys below api are its own
  --version      print the version
  -h, --help     print this text

It listens on 127.0.0.1 port 7777 unless api.address says otherwise; any other address needs TLS and a credential. It reads
the database, also while sm is away, and hands orders to sm. SIGHUP reads certificate and key anew, SIGTERM ends it in order.
Exit codes: 0 ended in order; 64 wrong arguments; 69 it can not listen; 70 internal fault; 78 the configuration, the tokens
or the TLS files can not be used.`;

/** Answers that are being written get so long at the end, ms. */
const END_LIMIT_MS = 5000;

function fail(code: number, message: string): never {
  console.error(`sm-api: ${message}`);
  process.exit(code);
}

function parse() {
  try {
    return parseArgs({
      options: {
        config: { type: 'string', default: CONFIG_PATH },
        version: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }).values;
  } catch (error) {
    return fail(EXIT_USAGE, `${error instanceof Error ? error.message : String(error)}; see sm-api --help`);
  }
}

/** Trying again may help where an address or a port is not there yet. */
const exitOf = (code: ErrorCode): number => (code === 'SM_API_LISTEN' ? EXIT_UNAVAILABLE : EXIT_CONFIG);

async function end(api: RunningApi): Promise<void> {
  const late = setTimeout(() => fail(EXIT_SOFTWARE, `not ended within ${END_LIMIT_MS} ms`), END_LIMIT_MS);
  await api.close();
  clearTimeout(late);
  process.exit(0);
}

const options = parse();
if (options.help || options.version) {
  console.log(options.help ? HELP : VERSION);
  process.exit(0);
}
const loaded = loadConfig(options.config);
if (!loaded.ok) fail(EXIT_CONFIG, `${loaded.error.code}: ${loaded.error.message}`);
const config = loaded.value;
const log = createLogger({ program: 'sm-api', node: config.node, log: config.log });
const started = await runApi(config, log);
if (!started.ok) fail(exitOf(started.error.code), `${started.error.code}: ${started.error.message}`);
const api = started.value;
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void end(api));
process.on('SIGHUP', () => {
  const renewed = api.renew();
  if (renewed.ok) log.info('certificate and key read anew');
  else log.error({ code: renewed.error.code }, `${renewed.error.message} The old ones stay in use.`);
});
log.info({ url: api.url }, 'listens');
