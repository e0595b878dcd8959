# What invoice there will be.
package rules.invoice

default decision := {"wanted": false, "kind": "", "rule": "invoice.not_offered"}

decision := {"wanted": true, "kind": kind, "rule": "invoice.wanted"} if {
	input.invoice.offered
	input.answers.invoice_wanted == "yes"
}

decision := {"wanted": false, "kind": "", "rule": "invoice.declined"} if {
	input.invoice.offered
	input.answers.invoice_wanted == "no"
}

decision := {"wanted": false, "kind": "", "rule": "invoice.not_asked_yet"} if {
	input.invoice.offered
	not input.answers.invoice_wanted in {"yes", "no"}
}

kind := input.answers.invoice_kind if input.answers.invoice_kind in input.invoice.kinds

kind := input.invoice.kinds[0] if not input.answers.invoice_kind in input.invoice.kinds
