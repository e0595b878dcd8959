# What the applicant owes: the lines of the product's price list whose condition
# holds, and the freight where something is shipped at his expense.
package rules.price

import data.rules.cond
import data.rules.delivery

default decision := {"lines": []}

decision := {"lines": array.concat(listed, freight)} if input.payer == "applicant"

listed := [line |
	some i, entry in input.price.lines
	cond.holds(entry.when)
	n := times(entry.per)
	n > 0
	line := {"index": i, "quantity": n, "unit_fen": entry.unit, "amount_fen": entry.unit * n, "rule": sprintf("price.%s", [entry.code])}
]

freight := [line |
	delivery.decision.needed
	some i, option in input.delivery.options
	option.code == input.answers.carrier
	option.code in delivery.decision.options
	option.payer == "applicant"
	option.fee > 0
	line := {"option": i, "quantity": 1, "unit_fen": option.fee, "amount_fen": option.fee, "rule": "delivery.applicant_pays"}
]

times("order") := 1

times("key") := input.quantity

times("year") := input.term_years

times("key_year") := input.quantity * input.term_years
