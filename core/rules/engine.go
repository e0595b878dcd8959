package rules

// Module is a tenant's own rules, parsed and checked.
type Module struct {
	source string
}
