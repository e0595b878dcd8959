package authz

// Actions of the dealer's portal.
const (
	OrderCreate     = "order.create"     // Extra["order_first"]=true lets a visitor without account begin
	OrderView       = "order.view"       // also staff
	OrderEdit       = "order.edit"       //
	OrderCancel     = "order.cancel"     //
	OrderPay        = "order.pay"        //
	FileUpload      = "file.upload"      //
	FileView        = "file.view"        // also staff: reviewer all, finance vouchers only (Extra["purpose"]="voucher")
	LetterDownload  = "letter.download"  //
	CertInstall     = "cert.install"     //
	InvoiceDownload = "invoice.download" //
	RefundRequest   = "refund.request"   //
	AccountView     = "account.view"     // own account: Owner is its id
	AccountEdit     = "account.edit"     //
)

// Actions of the console.
const (
	QueueView      = "queue.view"      //
	OrderClaim     = "order.claim"     // take an order to review
	OrderReview    = "order.review"    // approve or reject
	OrderReveal    = "order.reveal"    // show masked personal data; the caller audits it
	PaymentConfirm = "payment.confirm" // a transfer has arrived
	RefundApprove  = "refund.approve"  // not by who reviewed or asked (Extra["reviewer"], Extra["requester"])
	KeyWrite       = "key.write"       //
	ShipmentCreate = "shipment.create" //
	InvoiceUpload  = "invoice.upload"  //
	StaffManage    = "staff.manage"    //
	TenantView     = "tenant.view"     //
	TenantPublish  = "tenant.publish"  //
	AuditView      = "audit.view"      //
	ReportView     = "report.view"     //
	HealthView     = "health.view"     //
)

// Actions lists every action there is, in the order of the matrix; the policy
// refuses any other.
func Actions() []string {
	return []string{
		OrderCreate, OrderView, OrderEdit, OrderCancel, OrderPay, FileUpload, FileView, LetterDownload,
		CertInstall, InvoiceDownload, RefundRequest, AccountView, AccountEdit,
		QueueView, OrderClaim, OrderReview, OrderReveal, PaymentConfirm, RefundApprove, KeyWrite, ShipmentCreate,
		InvoiceUpload, StaffManage, TenantView, TenantPublish, AuditView, ReportView, HealthView,
	}
}
