# Two commands do all set-up: `make demo` shows the thing, `make test` proves it.
# What is missing (Java, Maven, npm; Apache Kafka and libchdb, once, into the
# user's cache) they install or fetch, and say so.

GO ?= go
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -X github.com/chaperone-audit/chaperone/cmd.release=$(VERSION)
GOLANGCI := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.5.0

# Modules of their own: what applications link, and what nobody else should.
MODULES := audit audit/auditsarama audit/auditfranz audit/auditkafkago audit/auditconfluent audit/audittest internal/codecbench

.DEFAULT_GOAL := help
.PHONY: help demo demo-kafka build test test-fast verify verify-kill lint metrics bench bench-bounds bench-audit bench-codecs bench-judge kafka fuzz scenarios simulate topology torture torture-many truth

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## a pipeline of four tiers on embedded parts, and what chaperone says of it; ONCE=1 ends after the first full agreement, FAULTS="-lose 0.01" opens a crack
	@scripts/need npm
	$(GO) run ./internal/demo $(if $(ONCE),-once) $(FAULTS)

demo-kafka: ## the same on three clusters of Apache Kafka with MirrorMaker 2; ONCE=1, FAULTS="-lose 0.01 -at proxy"
	@scripts/need java mvn npm
	$(GO) run ./internal/demo -kafka $(if $(ONCE),-once) $(FAULTS)

build: ## build bin/chaperone
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/chaperone ./cmd/chaperone

test: ## all tests, with the race detector, real Apache Kafka and ClickHouse included
	@scripts/need java mvn npm python3
	@for m in . $(MODULES); do echo "lint $$m" && (cd $$m && $(GO) vet ./... && $(GO) run $(GOLANGCI) run) || exit 1; done
	@for m in $(MODULES); do echo "$$m"; (cd $$m && $(GO) vet ./... && $(GO) test -race -shuffle=on -timeout 10m ./...) || exit 1; done
	$(GO) test -race -shuffle=on -timeout 20m ./...

test-fast: ## the tests that need neither Java nor downloads
	$(GO) test -short ./...

SEED ?= 1
SEEDS ?= 2000
simulate: ## run the simulations on SEEDS seeds each, and look for the mistakes put in on purpose
	@$(GO) run ./internal/simulate -seeds $(SEEDS)

truth: ## inject 500 faults and play a day in which nothing happens, and hold verdicts against what is true; SEED=n
	$(GO) run ./internal/truth -seed $(SEED)

verify: ## count a million messages on a real Apache Kafka and compare with an independent recount; READER=sarama reads by sarama
	@scripts/need java mvn npm python3
	$(GO) run ./internal/verify $(if $(READER),-reader $(READER))

verify-kill: ## the same while counting instances are killed
	@scripts/need java mvn npm python3
	$(GO) run ./internal/verify -kill $(if $(READER),-reader $(READER))

TIME ?= 10m
torture: build ## break everything around chaperone on Apache Kafka, three brokers, and check every count; TIME=45s for a quick look, SEED=n, READER=both
	@scripts/need java mvn npm
	@scripts/torture-binaries
	bin/chaperone torture --time $(TIME) --seed $(SEED) $(if $(READER),--reader $(READER)) $(if $(REPORT),--report $(REPORT)) --old-binary bin/chaperone-old --skewed-binary bin/chaperone-skewed

torture-many: build ## 100 seeds on kfake and 20 on Apache Kafka, 45 s each; writes docs/reliability.md
	@scripts/need java mvn npm
	@scripts/torture-binaries
	scripts/torture-many

lint: ## format, vet and golangci-lint
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo 'Try: gofmt -w .'; exit 1; }
	@for m in . $(MODULES); do echo "lint $$m" && (cd $$m && $(GO) vet ./... && $(GO) run $(GOLANGCI) run) || exit 1; done

bench: ## counting with both readers against raw drains and a loop by hand, on Apache Kafka
	@scripts/need java mvn
	$(GO) run ./internal/bench

bench-bounds: ## memory below a limit, of rows and of scattered event times; time to take over a table
	@scripts/need java mvn
	$(GO) run ./internal/bench -only bounds

bench-audit: ## what the audit library costs an application: to count, in memory, and in CPU time of producers on Apache Kafka
	@scripts/need java mvn
	@cd audit/audittest && $(GO) run ./bench

bench-codecs: ## finding the event time in JSON and Avro, against libraries that decode
	@cd internal/codecbench && $(GO) run .

bench-judge: ## what it costs to judge ten thousand topics, and to look at a day of a thousand in ClickHouse
	@scripts/need npm
	$(GO) run ./internal/judgebench

kafka: ## run an Apache Kafka on loopback until interrupted; NODES=3 for a cluster of three
	@scripts/need java mvn
	$(GO) run ./internal/kafkatest/kafka $(if $(NODES),-nodes $(NODES))

FUZZTIME ?= 30s
fuzz: ## fuzz every decoder, FUZZTIME each
	@for p in $$($(GO) list ./...); do for f in $$($(GO) test -list '^Fuzz' $$p | grep '^Fuzz'); do \
		echo "$$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) $$p || exit 1; done; done

scenarios: ## play the stories of testdata/scenarios and write what comes of them; the diff is for review
	$(GO) test ./internal/scenario -run TestScenarios -count=1 -rewrite

topology: ## write the generated table of topology.md anew
	$(GO) test ./cmd -run TestTopologyDocument -rewrite

metrics: ## write the generated tables of docs/metrics.md anew
	$(GO) test ./app -run TestMetricsDocument -rewrite
