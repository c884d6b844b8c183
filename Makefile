# gpx: everything a developer runs. `make` builds, `make run` starts the screen.
#
#   make test         what every change must pass: ./..., under 5 minutes on two cores
#                     (CI adds -race by GOTESTFLAGS)
#   make test-system  also nginx, tinyproxy, tmux and network namespaces, where they are installed
#   make soak         hours of it; never in CI
#   make bench        the promised ratios, as tables
#   make lint         vet, staticcheck, gofmt
#   make picture      docs/screen.png from the real screen over the lab

GO          ?= go
BIN         ?= bin/gpx
GOTESTFLAGS ?= -timeout 5m
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
VERSION     := $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS     := -X main.version=$(VERSION)

.PHONY: build run test test-system soak bench lint docs picture clean toolchain

build: toolchain
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN) ./cmd/gpx

run: build
	$(BIN)

test: toolchain
	$(GO) test $(GOTESTFLAGS) ./...

# The tests that do more than in make test. -count=1: what they meet (servers,
# namespaces) is not in the test cache's key.
test-system: toolchain
	tests=$$($(GO) run ./.ci/scaled) && GPX_TEST_SCALE=system $(GO) test -count=1 -timeout 25m $(SYSTEMFLAGS) $$tests

soak: toolchain
	tests=$$($(GO) run ./.ci/scaled) && GPX_TEST_SCALE=soak $(GO) test -count=1 -timeout 4h -v $$tests

bench: build
	$(GO) test -run '^$$' -bench . -benchtime 200ms ./envctl/... ./probe/... ./cachectl/deps ./history/... ./tui/...
	GPX_BENCH=1 $(GO) test -p 1 -count=1 -timeout 60m -run 'Ratios?$$|FaultTable' -v ./cachectl/... ./history ./cmd/gpx ./cmd/gpx/internal/story

lint: toolchain
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...
	@unformatted=$$(gofmt -l .ci cmd tui history cachectl probe envctl); test -z "$$unformatted" || { echo "gofmt: $$unformatted"; exit 1; }

# Pages that are printed from tables in the code.
docs: toolchain
	GPX_UPDATE_DOCS=1 $(GO) test -count=1 -run '^TestPages$$' ./cmd/gpx
	$(GO) test -count=1 ./probe/lab -run Pages -update

picture: build
	docs/picture.sh $(BIN) docs/screen.png

clean:
	rm -rf bin

# Says what to install before the compiler's own words would have to.
toolchain:
	@GO='$(GO)' sh .ci/toolchain
