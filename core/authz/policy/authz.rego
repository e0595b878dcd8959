# Who may do what. Default deny; `decision` is the only question asked.
#
# input.principal: {kind, id, roles, tenant}
# input.action:    "<noun>.<verb>"
# input.resource:  {kind, tenant, owner, state, extra}; kind "route" asks about a page before any single thing is known
#
# Ids are strings; "" stands for none and never equals anything.
package authz

default allow := false

default reason := "denied"

decision := {"allow": allow, "reason": reason, "rule": rule}

allow if {
	rule != "none"
	not separated
}

default rule := "none"

# ── which rule lets the caller in ────────────────────────────────────────

rule := "visitor" if visitor

rule := "dealer" if dealer

rule := "staff" if staff

rule := "system" if {
	input.principal.kind == "system"
	some_text(input.principal.name)
	input.action in data.roles.system
}

# A visitor may begin an order where the product says "order first, log in later".
visitor if {
	input.principal.kind == "anonymous"
	input.action == "order.create"
	input.resource.extra.order_first == true
}

# Until he logs in, the browser that began such an order owns its draft (order/visitor cookie; the caller compared the hashes).
visitor if {
	input.principal.kind == "anonymous"
	input.action in data.roles.visitor
	visitors_thing
}

visitors_thing if input.resource.kind == "route"

visitors_thing if {
	input.resource.extra.visitor == true
	input.resource.owner == ""
	input.resource.state == "draft"
}

# A dealer works in his own tenant, on what is his own.
dealer if {
	input.principal.kind == "dealer"
	input.action in data.roles.dealer
	some_text(input.principal.id)
	own_tenant
	own_thing
}

own_tenant if {
	some_text(input.principal.tenant)
	input.resource.tenant == input.principal.tenant
}

own_thing if input.resource.kind == "route"

own_thing if input.action in data.roles.ownerless

own_thing if input.resource.owner == input.principal.id

# … or on a draft that his own browser began before he logged in.
own_thing if visitors_thing

# A member of staff does what one of his roles names, in every tenant or in the one he serves.
staff if {
	input.principal.kind == "staff"
	some_text(input.principal.id)
	staff_tenant
	some role in input.principal.roles
	input.action in data.roles.staff[role]
	narrowed(role)
}

staff_tenant if input.principal.tenant == ""

staff_tenant if own_tenant

# Finance sees the papers of a payment, not those of a person.
narrowed(role) if role != "finance"

narrowed("finance") if input.action != "file.view"

narrowed("finance") if input.resource.kind == "route"

narrowed("finance") if input.resource.extra.purpose == "voucher"

# ── what one person must not do twice ────────────────────────────────────

# Money goes back only when somebody agrees who neither approved the order nor asked for it.
separated if {
	input.action == "refund.approve"
	some key in ["reviewer", "requester"]
	input.resource.extra[key] == input.principal.id
}

# ── how a refusal is worded ──────────────────────────────────────────────

reason := "allowed" if allow

reason := "login" if {
	not allow
	input.principal.kind == "anonymous"
}

# Another tenant's or another dealer's thing does not exist for the caller.
reason := "hidden" if {
	not allow
	input.principal.kind == "dealer"
	input.action in data.roles.dealer
}

reason := "hidden" if {
	not allow
	input.principal.kind == "staff"
	not staff_tenant
}

some_text(x) if {
	is_string(x)
	x != ""
}
