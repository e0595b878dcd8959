package identifier

import (
	"maps"
	"slices"
	"time"
)

// Env is what a validator may need besides the value.
type Env struct {
	Today   time.Time // now; its date in Asia/Shanghai decides (resident_id, foreign_pr)
	Pattern string    // dealer_code: RE2 expression; waybill: the carrier's code
}

// Validator checks one value as typed.
type Validator func(s string, env Env) Verdict

func plain(f func(string) Verdict) Validator {
	return func(s string, _ Env) Verdict { return f(s) }
}

// registry holds the names that form definitions use.
var registry = map[string]Validator{
	"uscc":             plain(USCC),
	"org_code":         plain(OrgCode),
	"reg_no":           plain(RegistrationNumber),
	"org_code_any":     plain(CombinedOrgCode),
	"resident_id":      func(s string, e Env) Verdict { return ResidentID(s, e.Today) },
	"passport":         plain(Passport),
	"foreign_passport": plain(ForeignPassport),
	"hk_macau_permit":  plain(HKMacauPermit),
	"taiwan_permit":    plain(TaiwanPermit),
	"foreign_pr":       func(s string, e Env) Verdict { return ForeignPR(s, e.Today) },
	"mobile":           plain(Mobile),
	"landline":         plain(Landline),
	"postal":           plain(PostalCode),
	"tax_no":           plain(TaxNumber),
	"bank_account":     plain(BankAccount),
	"personal_card":    plain(PersonalCard),
	"dealer_code":      func(s string, e Env) Verdict { return DealerCode(s, e.Pattern) },
	"person_name":      plain(PersonName),
	"latin_name":       plain(LatinName),
	"full_name":        plain(FullName),
	"org_name":         plain(OrgName),
	"email":            plain(Email),
	"waybill":          func(s string, e Env) Verdict { return Waybill(e.Pattern, s) },
}

// Lookup returns the validator of that name.
func Lookup(name string) (Validator, bool) {
	v, ok := registry[name]
	return v, ok
}

// Names returns all names Lookup knows, sorted.
func Names() []string { return slices.Sorted(maps.Keys(registry)) }
