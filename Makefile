# Everything here runs in a fresh clone. What needs a C compiler is the race detector only: the product builds without.

GO          ?= go
STATICCHECK ?= honnef.co/go/tools/cmd/staticcheck@v0.8.2
FUZZTIME    ?= 10000x
DEMOFLAGS   ?=
KILLS       ?= 500
COMPAREFLAGS ?=
FOLLOWFLAGS ?=
BENCHFLAGS  ?=

.PHONY: build fmt lint test test-all test-disk test-browser test-web screenshot test-peers client soak compare followers bench-peers nocgo demo demo-kill bench fuzz needs-cc

build:
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/restante ./cmd/restante

fmt:
	gofmt -w $$($(GO) list -f '{{.Dir}}' ./...)

lint:
	@out=$$(gofmt -l $$($(GO) list -f '{{.Dir}}' ./...)); [ -z "$$out" ] || { echo "not formatted (make fmt):"; echo "$$out"; exit 1; }
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...

needs-cc:
	@command -v $$($(GO) env CC | cut -d' ' -f1) >/dev/null || { echo "make test needs a C compiler for the race detector: install one, or set CC"; exit 1; }

# Sockets are read in two ways (docs/ARCHITECTURE.md); the tests of both are the same.
test: needs-cc
	$(GO) test -race -shuffle=on ./...
	$(GO) test -race -shuffle=on ./transport -args -poller off

# What needs more time or other programs than the tests do.
test-all: test nocgo demo demo-kill fuzz test-disk test-browser test-web test-peers

# A full disk, which is a small tmpfs: mounting it takes root, or a kernel that lets anybody be root in a namespace of his own.
test-disk: needs-cc
	@if unshare -m true 2>/dev/null; then as=; elif unshare -rm true 2>/dev/null; then as="unshare -rm"; \
	  else echo "make test-disk must mount a small tmpfs, and may not: run it as root, or where unshare -rm is allowed"; exit 1; fi; \
	  $$as $(GO) test -tags disk -count=1 -run AFullDisk ./tests

# A real browser's EventSource: headless Chromium, which is installed where it may be.
test-browser: needs-cc
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || \
	  { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && apt-get install -y --no-install-recommends chromium >/dev/null; } || \
	  { echo "make test-browser needs Chromium, and may not install it: install chromium, or run it as root where there is apt-get"; exit 1; }
	$(GO) test -tags browser -count=1 -run ABrowsersEventSource ./tests

# The browser client in a real browser, against the real broker and behind a real nginx. Debian's chromium, nodejs, npm and nginx are installed where they may be.
test-web: build
	@need() { command -v $$1 >/dev/null || [ -x /usr/sbin/$$1 ] || \
	    { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && RUNLEVEL=1 apt-get install -y --no-install-recommends $$2 >/dev/null; } || \
	    { echo "make test-web needs $$1, and may not install it: install $$2, or run it as root where there is apt-get"; exit 1; }; }; \
	  need npm "nodejs npm"; need nginx nginx; command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || need chromium chromium
	@node -e 'process.exit(process.versions.node.split(".")[0] < 20 ? 1 : 0)' || { echo "make test-web needs Node 20 or later, and finds $$(node --version)"; exit 1; }
	cd tests/web && npm ci --no-audit --no-fund --loglevel=error
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/web-grants ./tests/web/grants
	cd web/client && RESTANTE=$(CURDIR)/bin/restante node --test --test-concurrency=3
	cd web/demo && node --test
	cd tests/web && node size.js && npx tsc -p types
	cd tests/web && RESTANTE=$(CURDIR)/bin/restante GRANTS=$(CURDIR)/bin/web-grants npm test

# The client for npm: its sources, and each of its entries minified to one file in web/client/dist.
client:
	cd tests/web && npm ci --no-audit --no-fund --loglevel=error && node bundle.js

# The pictures of the README, from the real page. They are to have its fonts.
screenshot: build
	@fc-list | grep -q JetBrains && fc-list | grep -q Inter || \
	  { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && apt-get install -y --no-install-recommends fontconfig fonts-inter fonts-jetbrains-mono >/dev/null; } || \
	  { echo "make screenshot needs the fonts Inter and JetBrains Mono, and may not install them: install fonts-inter and fonts-jetbrains-mono, or run it as root where there is apt-get"; exit 1; }
	cd tests/web && npm ci --no-audit --no-fund --loglevel=error && RESTANTE=$(CURDIR)/bin/restante node --test screenshot.js

# The crash tests of make test, with KILLS kills instead of a few.
soak: needs-cc
	$(GO) test -count=1 -v -timeout 2h -run "P26_Killed|FollowersOfKilled" ./tests -args -kills $(KILLS)

# The durable store against others, in a module of its own. It takes minutes, and installs redis-server where it may.
compare:
	cd tests/peers && $(GO) run . $(COMPAREFLAGS)

# Ten thousand followers of one topic, one in ten reconnecting all the time: the broker in one process, the load in another. It takes a minute and a half.
followers: build
	@ulimit -n 20000; ./bin/restante serve --memory --listen 127.0.0.1:7481 --log-level warn & broker=$$!; trap 'kill $$broker' EXIT; sleep 1; \
	  ./bin/restante bench followers --url http://127.0.0.1:7481 $(FOLLOWFLAGS)

# The same works with our server and with those that one would take instead, in turn: docs/PERFORMANCE.md says how. It takes hours; BENCHFLAGS=--quick takes
# minutes, and shows that it works. Results, tables and plots come into bin/bench-peers.
bench-peers:
	@ulimit -n 20000; cd tests/peers && $(GO) run ./versus --out ../../bin/bench-peers $(BENCHFLAGS)

# The servers that the broker is compared with, and what compares them. Those of Node's need it and npm, which are installed where they may be.
test-peers: needs-cc
	@command -v npm >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && apt-get install -y --no-install-recommends nodejs npm >/dev/null; } || \
	  { echo "make test-peers needs Node 20 with npm, and may not install them: install nodejs and npm, or run it as root where there is apt-get"; exit 1; }
	cd tests/peers && $(GO) vet ./... && $(GO) test -count=1 -parallel 8 ./...

nocgo:
	CGO_ENABLED=0 $(GO) build ./...
	CGO_ENABLED=0 $(GO) vet ./...

demo: build
	./bin/restante demo $(DEMOFLAGS)

# The broker's process is killed as well, again and again.
demo-kill: build
	./bin/restante demo --kill $(DEMOFLAGS)

bench:
	$(GO) test -run '^$$' -bench . -benchmem ./...

# Each fuzz target for a moment, from its corpus on: a number of runs, as in 10000x, or a time, as in 1m.
fuzz:
	@set -e; for dir in $$(grep -rl --include='*_test.go' --exclude-dir=peers --exclude-dir=node_modules '^func Fuzz' . | xargs -n1 dirname | sort -u); do \
	  for target in $$(grep -ho '^func Fuzz[A-Za-z0-9_]*' $$dir/*_test.go | cut -c6-); do \
	    echo "$$dir $$target"; \
	    $(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$dir; \
	  done; \
	done
