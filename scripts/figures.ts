/**
 * `make figures FROM='FILE...'`: puts what `make bench` and `make bench-peers` printed into the tables of README.md and
 * docs/BENCH.md. A table whose run is not among the files stays as it is.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import {
  benchTable,
  peersTable,
  provenance,
  type Report,
  readReport,
  replaceBetween,
  speedTable,
} from './bench/table.ts';

const PAGES = {
  bench: { 'docs/BENCH.md': benchTable, 'README.md': speedTable },
  'bench-peers': { 'docs/BENCH.md': peersTable, 'README.md': peersTable },
} as const;

function put(report: Report): void {
  const { program } = report;
  for (const [page, tableOf] of Object.entries(PAGES[program])) {
    const path = fileURLToPath(new URL(`../${page}`, import.meta.url));
    const content = `${tableOf(report)}\n\n${provenance(report)}`;
    writeFileSync(path, replaceBetween(readFileSync(path, 'utf8'), program, content));
    console.log(`${page}: ${program}`);
  }
}

const files = process.argv.slice(2);
if (files.length === 0) {
  console.error("usage: make figures FROM='FILE...', each the output of make bench or make bench-peers");
  process.exit(64);
}
for (const file of files) put(readReport(readFileSync(file, 'utf8')));
