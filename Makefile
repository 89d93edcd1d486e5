# Two commands do all set-up: `make demo` shows the thing, `make test` proves it.
# What is missing (Java, Maven, npm; Apache Kafka and libchdb, once, into the
# user's cache) they install or fetch, and say so.

GO ?= go
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -X main.release=$(VERSION)
GOLANGCI := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.5.0

.DEFAULT_GOAL := help
.PHONY: help demo build test test-fast verify verify-kill lint bench kafka fuzz topology

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## audit generated topics on embedded parts and compare; ONCE=1 ends after the first full agreement
	@scripts/need npm
	$(GO) run ./internal/demo $(if $(ONCE),-once)

build: ## build bin/chaperone
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/chaperone ./cmd/chaperone

test: ## all tests, with the race detector, real Apache Kafka and ClickHouse included
	@scripts/need java mvn npm
	$(GO) vet ./...
	$(GO) test -race -shuffle=on -timeout 20m ./...

test-fast: ## the tests that need neither Java nor downloads
	$(GO) test -short ./...

verify: ## count a million messages on a real Apache Kafka and compare with an independent recount
	@scripts/need java mvn npm python3
	$(GO) run ./internal/verify

verify-kill: ## the same while counting instances are killed
	@scripts/need java mvn npm python3
	$(GO) run ./internal/verify -kill

lint: ## format, vet and golangci-lint
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo 'Try: gofmt -w .'; exit 1; }
	$(GO) vet ./...
	$(GO) run $(GOLANGCI) run

bench: ## the counter against a raw sarama drain, on Apache Kafka
	@scripts/need java mvn
	$(GO) run ./internal/bench

kafka: ## run an Apache Kafka on loopback until interrupted; NODES=3 for a cluster of three
	@scripts/need java mvn
	$(GO) run ./internal/kafkatest/kafka $(if $(NODES),-nodes $(NODES))

FUZZTIME ?= 30s
fuzz: ## fuzz every decoder, FUZZTIME each
	@for p in $$($(GO) list ./...); do for f in $$($(GO) test -list '^Fuzz' $$p | grep '^Fuzz'); do \
		echo "$$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) $$p || exit 1; done; done

topology: ## write the generated table of topology.md anew
	$(GO) test ./cmd/chaperone -run TestTopologyDocument -rewrite
