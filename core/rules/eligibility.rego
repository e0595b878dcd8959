# Who may order. Anything that speaks against it is a reason; without a
# decision the answer is no.
package rules.eligibility

default decision := {"allowed": false, "rule": "eligibility.undecided", "reasons": []}

decision := {"allowed": count(reasons) == 0, "rule": rule, "reasons": reasons}

reasons := array.concat(unconfirmed, array.concat(roster, old_key))

default rule := "eligibility.allowed"

rule := reasons[0].rule if count(reasons) > 0

unconfirmed := [{"rule": "eligibility.unconfirmed", "field": field, "id": "rules.unconfirmed"} |
	some field in input.eligibility.confirm
	object.get(input.answers, field, "") != "yes"
]

roster := [{"rule": "eligibility.roster", "field": input.eligibility.roster_by, "id": "rules.not_on_roster"} |
	input.eligibility.roster
	object.get(input.facts, "roster", "") != "listed"
]

old_key := [{"rule": "eligibility.old_key", "field": "", "id": sprintf("rules.old_key_%s", [state])} |
	count(input.eligibility.old_key) > 0
	state := object.get(input.facts, "old_key", "unknown")
	not state in input.eligibility.old_key
]
