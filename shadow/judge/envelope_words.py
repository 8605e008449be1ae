"""The words of envelopes: names of members that say how it went, and what they say; letters, digits alone."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


FLAGS = _words("success succeeded succeed successful issuccess issuccessful ok isok")
"""True where it went well."""
ALARMS = _words("error errors iserror haserror haserrors exception fault failure")
"""True, or an error, where it did not."""
WORDS = _words("status stat result outcome ack")
CODES = _words(
    """code errcode errorcode errno errorno err ret retcode rc returncode resultcode respcode responsecode
    statuscode subcode bizcode rtncode"""
)
"""A number or a text that is always the same where it went well, and one of many where it did not."""
WORDS_ALONE = _words("result outcome ack")
"""As a number each of these is what was asked for."""
STATED = _words("errcode errorcode errno errorno")
"""Codes whose name leaves no doubt: anything but their value of success is an error (WeChat, Baidu)."""
COMPLAINTS = _words(
    """message msg errmsg errormsg errormessage errordescription errordetail reason description detail
    details info retmsg resultmsg respmsg statusmessage statusmsg returnmsg resultmessage title hint
    usermessage developermessage submsg errors error exception errorinfo violations messages text"""
)
"""Members that say in words what went wrong, or that nothing did."""
ASIDE = _words(
    """requestid reqid traceid correlationid transactionid spanid logid timestamp time ts path instance
    version apiversion v jsonrpc servertime serverid duration took elapsed cost lang locale warnings
    warning type erroruri documentationurl docs helpurl needed provided method retryable deprecated
    debug tracking now"""
)
"""Members that come with every answer, and say nothing of what was asked for."""
HEADS = _words(
    """meta head header status response responseheader responsemetadata responsestatus baseresp
    baseresponse result error base"""
)
"""Members whose own members may say how it went."""
ROOMS = _words("data result results payload content body response obj")
"""Members for what was asked for."""
FINE_WORDS = _words(
    """ok okay success successful succeeded succeed successfully pass passed true good fine done"""
)
POOR_WORDS = _words(
    """error err fail failed failure ko nok denied unauthorized unauthorised forbidden invalid exception
    rejected refused false notfound unauthenticated"""
)
FINE_CODES = _words("0 1 200 201 1000 10000 20000 ok success succeed true")
"""Besides any number of noughts."""
