# certsaas. Needs Go and make; scripts/setup installs the rest on Debian and Ubuntu.

.PHONY: run build test soak bench generate lint screens axe requirements clean

# Builds and starts everything with a private PostgreSQL, the two tenants and demonstration data; prints addresses and log-ins.
run: build
	scripts/setup run
	./bin/certsaas serve --demo

build:
	CGO_ENABLED=0 go build -trimpath -o bin/ . ./keyagent

# All checks and all tests.
test:
	scripts/setup test
	scripts/check
	go test -timeout 15m ./...

# The same tests at full size: years of reminders, kills by the hundred. Takes an hour or more.
soak:
	scripts/setup test
	CERTSAAS_FULL=1 go test -count 1 -timeout 120m ./...

# Figures, each beside a floor or a peer measured in the same run.
bench:
	scripts/setup test
	scripts/bench

generate:
	scripts/generate

lint:
	scripts/check

# Screenshots of every page, at two widths and the console's in the dark too, into screens/.
screens:
	scripts/setup test
	CERTSAAS_SCREENS=$(CURDIR)/screens go test -count 1 -run 'BYD|KingLong|Looks|States' -timeout 20m ./portal/journey

# axe on every page and state that a journey photographs, at three widths. Fetches axe-core with npm.
axe:
	scripts/setup test
	scripts/axe

# Which requirement of the guides is shown by which test.
requirements:
	@scripts/requirements

clean:
	rm -rf bin screens
