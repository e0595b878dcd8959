package form

import "time"

// Problem is one answer that cannot be accepted: the field, the message id that
// says what to do, and the message's placeholders.
type Problem struct {
	Field string
	ID    string
	Args  map[string]any
}

// Result is what a check found. Answers are normalised, with invisible fields
// dropped; they are worth storing as a draft even when there are Problems.
// Warnings do not stop the order: a reviewer confirms them. Notes tell the
// applicant what was changed ("已取前十位代理商编码").
type Result struct {
	Answers  Answers
	Problems []Problem
	Warnings []Problem
	Notes    []Problem
}

// OK tells whether nothing stands in the way.
func (r Result) OK() bool { return len(r.Problems) == 0 }

// Env is what a check may know besides the answers.
type Env struct {
	Now    time.Time                // for dates and ages; a day of Asia/Shanghai is derived from it
	Facts  map[string]string        // "old_key": "valid", "channel": …; read by conditions
	Source func(path string) string // value of "account.mobile", "cert.subject", …; "" when unknown; nil allowed
	Draft  bool                     // save what there is: missing answers are no problem
}
