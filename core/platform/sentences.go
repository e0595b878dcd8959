package platform

import (
	"io/fs"

	"certsaas/core/account"
	"certsaas/core/account/password"
	"certsaas/core/account/throttle"
	"certsaas/core/authz"
	"certsaas/core/channel"
	"certsaas/core/db"
	"certsaas/core/delivery"
	"certsaas/core/form"
	"certsaas/core/guide"
	"certsaas/core/i18n"
	"certsaas/core/invoice"
	"certsaas/core/issuance"
	"certsaas/core/letter"
	"certsaas/core/material"
	"certsaas/core/notify"
	"certsaas/core/order"
	"certsaas/core/overdue"
	"certsaas/core/payment"
	"certsaas/core/reminder"
	"certsaas/core/review"
	"certsaas/core/rules"
	"certsaas/core/staff"
	"certsaas/core/tenant"
	"certsaas/core/web"
	"certsaas/core/web/ui"
)

// Sentences loads the messages of every package of core, and those of the pages that are given.
func Sentences(pages ...fs.FS) (*i18n.Bundle, error) {
	all := []fs.FS{
		account.Messages, password.Messages, throttle.Messages, channel.Messages, authz.Messages, db.Messages, delivery.Messages, form.Messages, guide.Messages, invoice.Messages,
		issuance.Messages, letter.Messages, material.Messages, notify.Messages, order.Messages, overdue.Messages, payment.Messages, reminder.Messages, review.Messages,
		rules.Messages, staff.Messages, tenant.Messages, ui.Messages, web.Messages,
	}
	return i18n.New(append(all, pages...)...)
}
