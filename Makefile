# Everything that a developer or an operator runs from a clone. `make` alone lists it.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.PHONY: help setup build lint test fuzz test-agents demo bench bench-peers figures lab chaos install uninstall deb test-install clean

BIN := node_modules/.bin
PREFIX ?= /usr
NODE_ABI := $(shell node -p process.versions.modules 2>/dev/null)
NODE_PREFIX := $(shell node -p "require('path').dirname(require('path').dirname(process.execPath))" 2>/dev/null)

# The SQLite addon may have to be compiled. Where node's own headers are installed they are used: nothing is downloaded.
export npm_config_update_notifier := false
ifneq ($(wildcard $(NODE_PREFIX)/include/node/node.h),)
export npm_config_nodedir := $(NODE_PREFIX)
endif

# One stamp for each binary interface of node, since a compiled addon fits only the one it was made for, and for each content
# of the lock file: its time says nothing, every checkout gives it another one.
LOCK_HASH := $(firstword $(shell sha256sum package-lock.json))
INSTALLED := node_modules/.installed-abi-$(NODE_ABI)-$(LOCK_HASH)
SYSTEM := node_modules/.system-packages
BUILT := dist/.built
SOURCES := $(shell find src -name '*.ts')
# As package.json names them: NAME=dist/bin/PROGRAM.js. Some programs have many names.
PROGRAMS := $(shell sed -n 's|^ *"\([a-z-]*\)": "\(dist/bin/[a-z-]*\.js\)".*|\1=\2|p' package.json)

help: ## List the targets
	@echo 'make <target>:'
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  \1\t/' | expand -t 16

setup: $(INSTALLED) $(SYSTEM) ## Check the tools of this machine, install the pinned npm packages

$(INSTALLED):
	@scripts/setup.sh tools
	npm ci --no-audit --no-fund --loglevel=error
	@touch $@

$(SYSTEM): scripts/setup.sh $(INSTALLED)
	@scripts/setup.sh system
	@touch $@

build: $(BUILT) ## Compile src into dist and link the programs for npx

$(BUILT): $(INSTALLED) $(SOURCES) tsconfig.json tsconfig.build.json
	$(BIN)/tsc -p tsconfig.build.json
	@for program in $(PROGRAMS); do \
	  chmod +x $${program#*=} && ln -sf ../../$${program#*=} $(BIN)/$${program%=*} || exit 1; \
	done
	@touch $@

lint: $(INSTALLED) ## Check format, lint rules and types
	npm run --silent lint

test: setup build lint ## Run every test
	$(BIN)/vitest run

fuzz: setup ## Hostile input for every reader, each time another; MINUTES=60
	FUZZ_MINUTES='$(or $(MINUTES),10)' $(BIN)/vitest run test/fuzz

test-install: setup ## Type docs/OPERATING.md on two fresh machines (root)
	$(BIN)/vitest run --config vitest.install.config.ts

test-agents: setup ## resource-agents' own cases for 14 agents, ocf-tester and a real podman for ours (root; ONLY='pgsql container')
	@ONLY='$(ONLY)' node --import tsx test/integration/agents/test-agents.ts

demo: setup build ## Two nodes, a power-off, a restart and a swact, told as a story
	@node --import tsx scripts/demo.ts

bench: setup build ## Measure pairs on this machine; ONLY=failover,swact,... REPEAT=5 (docs/BENCH.md)
	@ONLY='$(ONLY)' REPEAT='$(REPEAT)' node --import tsx scripts/bench.ts

bench-peers: setup build ## The same work by sm, Pacemaker and keepalived (root; installs them)
	@scripts/bench/peers/install.sh
	@ONLY='$(ONLY)' REPEAT='$(REPEAT)' node --import tsx scripts/bench-peers.ts

figures: setup ## Put outputs of both into the tables of README.md and docs/BENCH.md: FROM='bench.out peers.out'
	@node --import tsx scripts/figures.ts $(FROM)

lab: setup build ## Two nodes with Debian's agents: power-offs, cuts, loss; or ARBITER=etcd|disk|fence (root; docs/LAB.md)
	@ARBITER='$(ARBITER)' node --import tsx scripts/lab$(if $(ARBITER),-arbiter).ts

chaos: setup build ## Faults at random, judged by a witness; MINUTES=10 SEED=n ARBITER=etcd (root; docs/CHAOS.md)
	@MINUTES='$(MINUTES)' SEED='$(SEED)' ARBITER='$(ARBITER)' POLICY='$(POLICY)' KINDS='$(KINDS)' node --import tsx scripts/chaos.ts

install: setup ## Install into DESTDIR, below PREFIX (/usr)
	@DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' scripts/packaging/install.sh install

uninstall: ## Remove exactly what install put there
	@DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' scripts/packaging/install.sh uninstall

deb: setup ## Build the Debian package into build/
	@scripts/packaging/build-deb.sh build

clean: ## Remove what build and tests made (keeps node_modules)
	rm -rf dist coverage build
