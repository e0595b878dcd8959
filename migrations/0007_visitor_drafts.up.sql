-- A visitor's drafts are found by his browser on every first page he opens; without this each looked through all open drafts.
CREATE INDEX orders_visitor_idx ON orders (tenant_id, visitor_hash) WHERE visitor_hash IS NOT NULL;
