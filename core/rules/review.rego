# Whether an order passes without a reviewer.
package rules.review

import data.rules.cond

default decision := {"allowed": false, "rule": "review.manual"}

decision := {"allowed": true, "rule": "review.checks_passed"} if {
	input.review.mode == "auto_when_checks_pass"
	count(input.review.auto) > 0
	cond.holds(input.review.auto)
}
