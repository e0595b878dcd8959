package tenant

// Bank finds the account that transfers go to (req B49).
func (t *Tenant) Bank(id string) (Bank, bool) {
	for _, b := range t.spec.Banks {
		if b.ID == id {
			return b, true
		}
	}
	return Bank{}, false
}
