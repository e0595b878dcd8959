// Package fault gives every error of the product a kind and a message id.
//
// In: what went wrong, as a Kind and the id of the sentence a user reads.
// Out: an error that survives wrapping; the web layer maps its kind to one
// HTTP status and its message id to a sentence in the reader's language.
// Error() is for operators; its text never reaches a page.
package fault

import (
	"errors"
	"fmt"
	"sort"
	"strings"
)

// Kind classifies an error. It is itself an error, so that
// errors.Is(err, fault.NotFound) reads well anywhere up the stack.
// An error without a Kind is internal.
type Kind string

// The kinds, each with the one HTTP status the web layer gives it.
const (
	Invalid         Kind = "invalid"         // 422: the input breaks a rule; Fields say where
	NotFound        Kind = "not_found"       // 404: no such thing, or not the caller's to know of
	Conflict        Kind = "conflict"        // 409: somebody else was faster, or the state forbids it
	Denied          Kind = "denied"          // 403: known caller, not allowed
	Unauthenticated Kind = "unauthenticated" // 401: caller must log in first
	RateLimited     Kind = "rate_limited"    // 429: too many tries
	Unavailable     Kind = "unavailable"     // 503: an outside party or the database is away
	Precondition    Kind = "precondition"    // 409: an earlier step is missing
	TooLarge        Kind = "too_large"       // 413: the body is over its limit
)

// Error makes a Kind usable as a target of errors.Is.
func (k Kind) Error() string { return string(k) }

// Field is a problem at one input: its name, and the sentence to show there.
type Field struct {
	Name string         // form field key, as in the page
	ID   string         // message id
	Args map[string]any // placeholders of the message
}

// Error is an error with a kind and a sentence for its reader.
type Error struct {
	Kind   Kind
	ID     string         // message id, e.g. "order.taken"
	Args   map[string]any // placeholders of the message
	Fields []Field        // problems by field, for Invalid
	Err    error          // cause, for operators; may be nil
}

// New makes an Error; kv are placeholder names and values in turn.
func New(kind Kind, id string, kv ...any) *Error {
	return &Error{Kind: kind, ID: id, Args: Args(kv...)}
}

// Wrap is New around a cause.
func Wrap(kind Kind, id string, err error, kv ...any) *Error {
	return &Error{Kind: kind, ID: id, Args: Args(kv...), Err: err}
}

// InvalidFields reports problems at named fields; the summary sentence is "fault.invalid".
func InvalidFields(fields ...Field) *Error {
	return &Error{Kind: Invalid, ID: "fault.invalid", Fields: fields}
}

// At is one problem at one field; kv are placeholder names and values in turn.
func At(name, id string, kv ...any) Field {
	return Field{Name: name, ID: id, Args: Args(kv...)}
}

// Args turns names and values in turn into a placeholder map; nil when empty.
func Args(kv ...any) map[string]any {
	if len(kv) == 0 {
		return nil
	}
	m := make(map[string]any, len(kv)/2)
	for i := 0; i+1 < len(kv); i += 2 {
		m[fmt.Sprint(kv[i])] = kv[i+1]
	}
	return m
}

// Error describes the fault for operators.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(string(e.Kind))
	b.WriteString(": ")
	b.WriteString(e.ID)
	names := make([]string, 0, len(e.Args))
	for k := range e.Args {
		names = append(names, k)
	}
	sort.Strings(names)
	for _, k := range names {
		fmt.Fprintf(&b, " %s=%v", k, e.Args[k])
	}
	for _, f := range e.Fields {
		fmt.Fprintf(&b, " [%s: %s]", f.Name, f.ID)
	}
	if e.Err != nil {
		b.WriteString(": ")
		b.WriteString(e.Err.Error())
	}
	return b.String()
}

// Unwrap exposes the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is matches a Kind.
func (e *Error) Is(target error) bool {
	k, ok := target.(Kind)
	return ok && k == e.Kind
}

// From finds the Error in err's chain, or nil for an internal error.
func From(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return nil
}
