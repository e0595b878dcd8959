# Whether something is shipped, and which ways are open.
package rules.delivery

import data.rules.cond
import data.rules.invoice

default decision := {"needed": false, "what": [], "options": [], "rule": "delivery.nothing_ships"}

decision := {"needed": true, "what": what, "options": options, "rule": sprintf("delivery.%s", [what[0]])} if count(what) > 0

what := [thing | some thing in ["goods", "invoice"]; thing in input.delivery.ships; goes(thing)]

goes("goods") if input.fulfilment in {"produce", "unlock"}

goes("invoice") if {
	invoice.decision.wanted
	invoice.decision.kind == "paper"
}

options := [option.code | some option in input.delivery.options; cond.holds(option.when)]
