# Sluice. `make help` lists the commands; `make run` and `make test` are the two
# to start with. Needs GNU make and Go; what else is needed is installed.

GOLANGCI_LINT_VERSION := v2.15.0
GOTESTSUM_VERSION     := v1.13.0
GOVULNCHECK_VERSION   := v1.9.0

FUZZTIME ?= 20s
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)

# Tools live beside the code, so that a machine keeps its own versions.
TOOLS := $(CURDIR)/.cache/bin
export PATH := $(TOOLS):$(PATH)
export GOFLAGS += -buildvcs=false

# A test that lacks a program it needs skips, and says so. In CI it fails.
SLUICE_REQUIRE_TOOLS ?= $(if $(filter-out 0 false,$(CI)),1)
export SLUICE_REQUIRE_TOOLS

.DEFAULT_GOAL := help

##@ Every day

.PHONY: run
run: bin/sluice ## Build and serve http://127.0.0.1:8080, with the data in ./.sluice (SLUICE_* are passed on)
	@exec env SLUICE_DATA="$${SLUICE_DATA:-./.sluice}" bin/sluice serve

.PHONY: run-minio
run-minio: bin/sluice stores ## The same on MinIO and a DynamoDB emulator, as a deployment runs on S3 and DynamoDB
	@localstack/run

.PHONY: run-functions
run-functions: bin/sluice stores ## The same as functions: each app a server of its own, as plain HTTP
	@go run ./tools/functions -arch native -dir .build/native
	@localstack/run-functions

.PHONY: invoke
invoke: bin/sluice ## Run one event through a function as Lambda would, on `make stores`: F=download E=events/http/healthz.json
	@go run ./tools/functions -arch native -dir .build/native $(F) >&2
	@localstack/invoke .build/native/$(F)/bootstrap $(E)

.PHONY: stores
stores: ## Start MinIO and a DynamoDB emulator on this machine, without Docker; the data is in ./.sluice-stores
	@localstack/install minio dynoxide dynamodb-local
	@go run ./localstack up

.PHONY: stores-down
stores-down: ## Stop what `make stores` started; the data stays
	@go run ./localstack down

.PHONY: test
test: test-tools ## Install what the tests need and run them, with the race detector
	tools/run-tests -timeout 14m

.PHONY: build
build: bin/sluice ## Build bin/sluice, and for each function .build/<function>/bootstrap and .build/<function>.zip
	go run ./tools/functions

.PHONY: bin/sluice
bin/sluice:
	CGO_ENABLED=0 go build -trimpath -ldflags '-X main.version=$(VERSION)' -o bin/sluice ./cmd/sluice

.PHONY: man
man: build ## Write the man pages to bin/man; man -M does not need them installed
	bin/sluice docs --man bin/man/man1
	@echo 'read them with: man -M bin/man sluice-get'

.PHONY: lint
lint: $(TOOLS)/golangci-lint@$(GOLANGCI_LINT_VERSION) ## Check style, layers and go.mod
	$(TOOLS)/golangci-lint run ./...
	go mod tidy -diff

.PHONY: fmt
fmt: $(TOOLS)/golangci-lint@$(GOLANGCI_LINT_VERSION) ## Format the code
	$(TOOLS)/golangci-lint fmt ./...

.PHONY: generate
generate: ## Write the generated files anew
	go generate ./...

##@ Longer

.PHONY: test-full
test-full: test-tools ## Run the tests with their long loops (SLUICE_FULL=1)
	SLUICE_FULL=1 tools/run-tests -timeout 60m

.PHONY: fuzz
fuzz: ## Fuzz every target for FUZZTIME (20s) each; PKG=./shared/byterange for one package
	tools/fuzz $(FUZZTIME) $(PKG)

.PHONY: bench
bench: bin/sluice ## Measure against nginx, HAProxy, other download clients and a bare Gin route; docs/performance.md explains
	tools/install-bench-tools
	go run ./bench $(BENCHFLAGS)

.PHONY: cover
cover: ## Measure what the tests reach: a total, and .cache/cover.html
	mkdir -p .cache
	go test -coverpkg=./cmd/...,./shared/... -coverprofile=.cache/cover.out ./...
	go tool cover -html=.cache/cover.out -o .cache/cover.html
	go tool cover -func=.cache/cover.out | tail -n 1

.PHONY: vuln
vuln: $(TOOLS)/govulncheck@$(GOVULNCHECK_VERSION) ## Look for known vulnerabilities (asks the Go vulnerability database)
	$(TOOLS)/govulncheck ./...

##@ What CI adds

.PHONY: check-generated
check-generated: ## Check that the generated files are current
	tools/check-generated

# Compiled alone: no machine of these is at hand.
.PHONY: cross
cross: ## Check that sluice compiles for Windows, macOS and Linux on arm64
	@for target in windows/amd64 darwin/arm64 darwin/amd64 linux/arm64; do \
		echo "building sluice for $$target"; \
		CGO_ENABLED=0 GOOS=$${target%/*} GOARCH=$${target#*/} go build -o /dev/null ./cmd/sluice || exit 1; \
	done

.PHONY: lint-test
lint-test: $(TOOLS)/golangci-lint@$(GOLANGCI_LINT_VERSION) ## Prove that the linter holds the rules of .golangci.yml
	tools/check-lint-rules

##@ On AWS

.PHONY: validate
validate: ## Check template.yaml, and what it becomes on AWS; asks AWS nothing
	tools/validate-template

.PHONY: deploy
deploy: build validate ## Deploy template.yaml with AWS SAM; SAMFLAGS='--region eu-central-1 --parameter-overrides …'
	SAM_CLI_TELEMETRY=0 .cache/aws/bin/sam deploy $(SAMFLAGS)

##@ Upkeep

.PHONY: tools
tools: test-tools $(TOOLS)/golangci-lint@$(GOLANGCI_LINT_VERSION) ## Install every tool that the tests and the linter need

.PHONY: test-tools
test-tools: $(TOOLS)/gotestsum@$(GOTESTSUM_VERSION)
	tools/install-test-tools

.PHONY: clean
clean: ## Remove what was built and installed here; the data in ./.sluice stays
	rm -rf bin .build .cache

.PHONY: help
help: ## Show this help
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# One file for each pinned version: a new version installs anew.
# $(call tool,name,package,version)
define tool
$(TOOLS)/$(1)@$(3):
	@echo 'installing $(1) $(3)'
	@rm -f $(TOOLS)/$(1)@*
	GOBIN=$(TOOLS) GOFLAGS= go install $(2)@$(3)
	@touch $$@
endef

$(eval $(call tool,golangci-lint,github.com/golangci/golangci-lint/v2/cmd/golangci-lint,$(GOLANGCI_LINT_VERSION)))
$(eval $(call tool,gotestsum,gotest.tools/gotestsum,$(GOTESTSUM_VERSION)))
$(eval $(call tool,govulncheck,golang.org/x/vuln/cmd/govulncheck,$(GOVULNCHECK_VERSION)))
