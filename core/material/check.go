package material

import (
	"context"

	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/order"
	"certsaas/core/tenant"
)

// Register makes handing an order in depend on its files.
func (s *Service) Register(orders *order.Service) {
	orders.RequireOnSubmit(s.complete)
	orders.LearnFrom(s.facts, "checks")
}

// facts tells the rules whether the automatic look found nothing to say about any picture of the order.
func (s *Service) facts(ctx context.Context, tx *db.Tx, o order.Order) (map[string]string, error) {
	files, err := s.List(ctx, tx, o.ID)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		if len(f.Findings) > 0 {
			return map[string]string{"checks": "failed"}, nil
		}
	}
	return map[string]string{"checks": "passed"}, nil
}

// complete wants every file answer of the form to be a live file of this order and this field: an answer cannot point at
// another order's picture, nor at one that was replaced, nor at one that an
// automatic look refused. Fields that are missing are the form's own problem.
func (s *Service) complete(ctx context.Context, tx *db.Tx, o order.Order, p tenant.Product) ([]fault.Field, error) {
	files, err := s.List(ctx, tx, o.ID)
	if err != nil {
		return nil, err
	}
	live := map[string]File{}
	for _, f := range files {
		live[f.Field] = f
	}
	facts, err := s.Orders.Facts(ctx, tx, o)
	if err != nil {
		return nil, err
	}
	part := p.FormAt("order")
	visible := part.Visible(o.Answers, facts)
	var problems []fault.Field
	for fd := range part.Fields() {
		answer := o.Answers[fd.Key]
		if !fd.IsFile() || !visible[fd.Key] || answer == "" {
			continue
		}
		if live[fd.Key].ID.String() != answer {
			problems = append(problems, fault.At(fd.Key, "material.gone"))
			continue
		}
		for _, f := range live[fd.Key].Findings {
			if f.Refuses {
				problems = append(problems, fault.Field{Name: fd.Key, ID: f.ID, Args: f.Args})
			}
		}
	}
	return problems, nil
}
