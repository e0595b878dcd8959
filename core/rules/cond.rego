# Conditions arrive as an "or" of "and"s of literals (core/form, Cond.DNF).
package rules.cond

holds(clauses) if {
	some clause in clauses
	every literal in clause {
		meets(literal)
	}
}

meets(literal) if {
	not literal.negate
	matches(literal)
}

meets(literal) if {
	literal.negate
	not matches(literal)
}

matches(literal) if value(literal) in literal.values

matches(literal) if {
	count(literal.values) == 0
	value(literal) != ""
}

value(literal) := object.get(input.facts, literal.fact, "") if literal.fact

value(literal) := object.get(input.answers, literal.field, "") if not literal.fact
