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
} from './bench/table.ts';

const PAGES = { bench: ['docs/BENCH.md'], 'bench-peers': ['docs/BENCH.md', 'README.md'] } as const;

function put(report: Report): void {
  const { program } = report;
  const content = `${program === 'bench' ? benchTable(report) : peersTable(report)}\n\n${provenance(report)}`;
  for (const page of PAGES[program]) {
    const path = fileURLToPath(new URL(`../${page}`, import.meta.url));
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
