package platform

// invariants must give no row; each answers rows of one text: what is wrong. $1 is now.
var invariants = []struct{ name, remedy, sql string }{
	{"a paid order has one payment that settles it, of its amount",
		"look at the order's payments in the console; refund or settle by hand",
		`SELECT o.number FROM orders o LEFT JOIN payments p ON p.tenant_id = o.tenant_id AND p.order_id = o.id AND p.settles
		 WHERE o.paid_at IS NOT NULL AND o.total_fen > 0 AND (p.id IS NULL OR p.state <> 'paid' OR p.amount_fen <> o.total_fen)`},
	{"a payment that settles belongs to a paid order",
		"look at the order's payments in the console; refund or settle by hand",
		`SELECT o.number FROM payments p JOIN orders o ON o.tenant_id = p.tenant_id AND o.id = p.order_id WHERE p.settles AND o.paid_at IS NULL`},
	{"money that settles nothing is on its way back",
		"approve the proposed refund in the console",
		`SELECT p.out_trade_no FROM payments p WHERE p.state = 'paid' AND NOT p.settles
		 AND NOT EXISTS (SELECT FROM refunds r WHERE r.tenant_id = p.tenant_id AND r.payment_id = p.id)`},
	{"an order item has at most one live certificate",
		"revoke the certificate that is not in the key",
		`SELECT item_id::text FROM certificates WHERE item_id IS NOT NULL AND state IN ('issued', 'active') GROUP BY tenant_id, item_id HAVING count(*) > 1`},
	{"a certificate of the platform has an intent that was carried out",
		"the certificate was not issued in the two steps; treat it as a security incident",
		`SELECT c.id::text FROM certificates c LEFT JOIN issuance_intents i ON i.tenant_id = c.tenant_id AND i.id = c.intent_id
		 WHERE c.order_id IS NOT NULL AND (i.id IS NULL OR i.state <> 'issued' OR i.serial <> c.serial OR i.spki_sha256 <> c.spki_sha256)`},
	{"an intent that was carried out has its certificate",
		"run the issuance sweep; if it stays, revoke the serial number",
		`SELECT i.id::text FROM issuance_intents i WHERE i.state = 'issued'
		 AND NOT EXISTS (SELECT FROM certificates c WHERE c.tenant_id = i.tenant_id AND c.intent_id = i.id)`},
	{"an issued certificate is in the audit",
		"treat it as a security incident",
		`SELECT c.id::text FROM certificates c WHERE c.intent_id IS NOT NULL AND NOT EXISTS (SELECT FROM audit_entries a
		 WHERE a.tenant_id = c.tenant_id AND a.action = 'certificate.issued' AND a.resource = 'order/' || c.order_id AND a.detail->>'certificate' = c.id::text)`},
	{"the state of an order is the last of its time line",
		"the row was changed outside the program; compare with the audit",
		`SELECT o.number FROM orders o WHERE o.state <> coalesce((SELECT e.to_state FROM order_events e
		 WHERE e.tenant_id = o.tenant_id AND e.order_id = o.id ORDER BY e.at DESC, e.id DESC LIMIT 1), 'draft')`},
	{"a step of the time line is in the audit",
		"treat it as a security incident",
		`SELECT o.number || ' ' || e.event FROM order_events e JOIN orders o ON o.tenant_id = e.tenant_id AND o.id = e.order_id
		 WHERE NOT EXISTS (SELECT FROM audit_entries a WHERE a.tenant_id = e.tenant_id AND a.resource = 'order/' || e.order_id
		 AND a.action = 'order.' || e.event AND a.at = e.at)`},
	{"a completed order has every key done",
		"look at the order in the console; finish or withdraw the key",
		`SELECT o.number FROM orders o JOIN order_items i ON i.tenant_id = o.tenant_id AND i.order_id = o.id
		 WHERE o.state = 'completed' AND i.state NOT IN ('done', 'withdrawn')`},
	{"an order has an item for each key",
		"the row was changed outside the program; compare with the audit",
		`SELECT o.number FROM orders o WHERE o.submitted_at IS NOT NULL AND o.state NOT IN ('cancelled', 'refunded', 'completed') AND o.quantity <>
		 (SELECT count(*) FROM order_items i WHERE i.tenant_id = o.tenant_id AND i.order_id = o.id AND i.state <> 'withdrawn')`},
	{"an item that waits for its proof has a live certificate",
		"run the issuance sweep; if it stays, treat it as a security incident",
		`SELECT o.number FROM order_items i JOIN orders o ON o.tenant_id = i.tenant_id AND o.id = i.order_id WHERE i.state = 'issued'
		 AND NOT EXISTS (SELECT FROM certificates c WHERE c.tenant_id = i.tenant_id AND c.item_id = i.id AND c.state IN ('issued', 'active'))`},
	{"an order whose money went back has no live certificate",
		"revoke the certificate",
		`SELECT o.number FROM orders o JOIN certificates c ON c.tenant_id = o.tenant_id AND c.order_id = o.id
		 WHERE o.state IN ('cancelled', 'refunded') AND c.state IN ('issued', 'active')`},
	{"the lines of a price make its total",
		"the row was changed outside the program; compare with the audit",
		`SELECT o.number FROM orders o WHERE o.total_fen <> (SELECT coalesce(sum((l ->> 'amount_fen')::bigint), 0) FROM jsonb_array_elements(o.price) l)`},
	{"an issued invoice has its file",
		"upload the file again",
		`SELECT o.number FROM invoices i JOIN orders o ON o.tenant_id = i.tenant_id AND o.id = i.order_id WHERE i.state = 'issued' AND i.file_id IS NULL`},
	{"a revocation list is in force",
		"see the health page: the crl job does not run",
		`SELECT a.kind || ' ' || a.algorithm FROM authorities a WHERE $1::timestamptz > (SELECT max(c.next_update) FROM crls c WHERE c.authority_id = a.id)`},
	{"the outbox is young",
		"see the health page: the outbox job does not run, or an outside party is away",
		`SELECT kind || ' ' || id FROM outbox WHERE done_at IS NULL AND dead_at IS NULL AND attempts = 0 AND due_at < $1::timestamptz - interval '5 minutes'`},
	{"no message is dead",
		"see the health page, mend the cause and send it again",
		`SELECT kind || ' ' || id || ': ' || left(error, 200) FROM outbox WHERE dead_at IS NOT NULL`},
}
