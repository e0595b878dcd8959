DROP INDEX orders_visitor_idx;
