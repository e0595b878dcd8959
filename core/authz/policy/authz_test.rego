package authz_test

import data.authz

t1 := "0192f0c0-0000-7000-8000-000000000001"

t2 := "0192f0c0-0000-7000-8000-000000000002"

d1 := "0192f0c0-0000-7000-8000-0000000000d1"

d2 := "0192f0c0-0000-7000-8000-0000000000d2"

s1 := "0192f0c0-0000-7000-8000-0000000000e1"

dealer := {"kind": "dealer", "id": d1, "name": "", "roles": [], "tenant": t1}

nobody := {"kind": "anonymous", "id": "", "name": "", "roles": [], "tenant": ""}

member(roles) := {"kind": "staff", "id": s1, "name": "", "roles": roles, "tenant": ""}

thing(tenant, owner) := {"kind": "order", "tenant": tenant, "owner": owner, "state": "", "extra": {}}

ask(p, a, r) := d if {
	d := authz.decision with input as {"principal": p, "action": a, "resource": r}
}

test_dealer_own_order if ask(dealer, "order.view", thing(t1, d1)).allow

test_dealer_other_dealer_is_hidden if ask(dealer, "order.view", thing(t1, d2)) == {"allow": false, "reason": "hidden", "rule": "none"}

test_dealer_other_tenant_is_hidden if ask(dealer, "order.view", thing(t2, d1)) == {"allow": false, "reason": "hidden", "rule": "none"}

test_dealer_thing_without_owner if not ask(dealer, "order.view", thing(t1, "")).allow

test_dealer_begins_order if ask(dealer, "order.create", thing(t1, "")).allow

test_dealer_begins_order_elsewhere if not ask(dealer, "order.create", thing(t2, "")).allow

test_dealer_never_reviews if ask(dealer, "order.review", thing(t1, d1)) == {"allow": false, "reason": "denied", "rule": "none"}

test_dealer_without_tenant if not ask(object.union(dealer, {"tenant": ""}), "order.view", thing("", d1)).allow

test_dealer_without_id if not ask(object.union(dealer, {"id": ""}), "order.view", thing(t1, "")).allow

test_dealer_cannot_borrow_roles if not ask(object.union(dealer, {"roles": ["reviewer"]}), "order.review", thing(t1, d1)).allow

test_nobody_is_sent_to_login if ask(nobody, "order.view", thing(t1, "")).reason == "login"

test_nobody_order_first if ask(nobody, "order.create", object.union(thing(t1, ""), {"extra": {"order_first": true}})).allow

test_nobody_order_first_must_be_true if not ask(nobody, "order.create", object.union(thing(t1, ""), {"extra": {"order_first": "true"}})).allow

test_reviewer_reviews if ask(member(["reviewer"]), "order.review", thing(t1, d1)).allow

test_reviewer_is_not_finance if not ask(member(["reviewer"]), "payment.confirm", thing(t1, d1)).allow

test_finance_is_not_reviewer if not ask(member(["finance"]), "order.review", thing(t1, d1)).allow

test_finance_sees_voucher if ask(member(["finance"]), "file.view", object.union(thing(t1, d1), {"extra": {"purpose": "voucher"}})).allow

test_finance_sees_no_licence if not ask(member(["finance"]), "file.view", object.union(thing(t1, d1), {"extra": {"purpose": "licence"}})).allow

test_finance_who_also_reviews_sees_licence if ask(member(["finance", "reviewer"]), "file.view", thing(t1, d1)).allow

test_refund_by_third_person if ask(member(["finance"]), "refund.approve", object.union(thing(t1, d1), {"extra": {"reviewer": d2}})).allow

test_refund_not_by_reviewer if not ask(member(["finance", "reviewer"]), "refund.approve", object.union(thing(t1, d1), {"extra": {"reviewer": s1}})).allow

test_refund_not_by_requester if not ask(member(["finance"]), "refund.approve", object.union(thing(t1, d1), {"extra": {"requester": s1}})).allow

test_auditor_changes_nothing if {
	reads := {"queue.view", "order.view", "tenant.view", "audit.view", "report.view", "health.view"}
	every action in data.roles.staff.auditor {
		action in reads
	}
}

test_auditor_cannot_reveal if not ask(member(["auditor"]), "order.reveal", thing(t1, d1)).allow

test_admin_touches_no_money if {
	every action in ["order.review", "payment.confirm", "refund.approve", "key.write"] {
		not ask(member(["admin"]), action, thing(t1, d1)).allow
	}
}

test_staff_of_one_tenant if {
	p := object.union(member(["reviewer"]), {"tenant": t1})
	ask(p, "order.review", thing(t1, d1)).allow
	ask(p, "order.review", thing(t2, d1)) == {"allow": false, "reason": "hidden", "rule": "none"}
}

test_staff_without_roles if not ask(member([]), "queue.view", thing(t1, d1)).allow

test_staff_unknown_role if not ask(member(["root"]), "queue.view", thing(t1, d1)).allow

test_system_needs_name if {
	p := {"kind": "system", "id": "", "name": "scheduler/remind", "roles": [], "tenant": ""}
	ask(p, "order.create", thing(t1, "")).allow
	not ask(object.union(p, {"name": ""}), "order.create", thing(t1, "")).allow
}

test_system_leaves_persons_decisions if {
	p := {"kind": "system", "id": "", "name": "scheduler/remind", "roles": [], "tenant": ""}
	every action in ["order.reveal", "refund.approve", "audit.view"] {
		not ask(p, action, thing(t1, "")).allow
	}
}

test_unknown_action if {
	every p in [dealer, member(["admin", "onboarding", "reviewer", "finance", "producer", "auditor"])] {
		not ask(p, "order.destroy", thing(t1, d1)).allow
	}
}

test_every_granted_action_is_named if {
	granted := {a | some a in data.roles.staff[_]} | {a | some a in data.roles.dealer}
	every a in granted {
		regex.match(`^[a-z]+\.[a-z]+$`, a)
	}
}
