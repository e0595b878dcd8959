package identifier

import (
	"regexp"
	"strings"
)

// Carriers that Waybill knows a number shape of.
const (
	CarrierSF  = "sf"  // 顺丰速运
	CarrierSTO = "sto" // 申通快递
)

var (
	waybillFormat = regexp.MustCompile(`^[A-Z0-9]{8,32}$`)
	// SF's is in its interface document (15, formerly 12 characters); STO
	// publishes none, so its pattern is drawn from numbers seen.
	carrierFormats = map[string]*regexp.Regexp{
		CarrierSF: regexp.MustCompile(`^(SF[0-9]{13}|[0-9]{12})$`),
		CarrierSTO: regexp.MustCompile(`^(77[0-9]{13}|773[0-9]{9,13}|(268|368|468|568|588|668|688|768|868|888|968)[0-9]{9,10}` +
			`|STO[0-9]{10}|(33|55|66)[0-9]{11}|4[0-9]{12}|(88|99)[0-9]{13})$`),
	}
)

// Waybill checks a courier's number: 8 to 32 letters and digits. A number that
// is not of the carrier's usual shape is a warning, CARRIER
// (单号格式与所选快递不符); carriers other than CarrierSF and CarrierSTO have no
// shape. The carrier's case does not matter. req: B27 K25 K40
func Waybill(carrier, s string) Verdict {
	c, v, done := code(s)
	switch {
	case done:
		return v
	case !alnum(c):
		return verdict(s, c, CodeCharset)
	case !waybillFormat.MatchString(c):
		return verdict(s, c, CodeLength)
	}
	if usual := carrierFormats[strings.ToLower(strings.TrimSpace(carrier))]; usual != nil && !usual.MatchString(c) {
		return verdict(s, c, CodeCarrier).soft()
	}
	return verdict(s, c, CodeOK)
}
