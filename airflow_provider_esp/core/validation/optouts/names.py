"""What columns that hold people are called, in the languages of the lists that were seen."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_EMAIL_NAMES: Final = """
    email emails mail mails emailaddress emailaddr mailaddress emailid contactemail subscriberemail customeremail
    recipient recipientemail useremail adresemail adresseemail emailadresse mailadresse eposta epost epostadress
    sahkoposti correo correoelectronico courriel пошта елпошта електроннапошта електроннаадреса почта элпочта
    электроннаяпочта имейл емейл емайл адресэлектроннойпочты адресаелектронноїпошти
"""
_PHONE_NAMES: Final = """
    phone phones phonenumber phoneno phonenum tel telephone telephonenumber telefon telefonnummer telefono telefone
    mobile mobilephone mobilenumber mobileno mobil cell cellphone cellnumber msisdn sms smsnumber smsphone gsm handy
    whatsapp viber телефон контактнийтелефон номертелефону номертелефона моб мобильный мобільний мобильныйтелефон
    мобільнийтелефон
"""
EMAILS, PHONES = frozenset(_EMAIL_NAMES.split()), frozenset(_PHONE_NAMES.split())
PARTS: Final = re.compile(r"[^\W_]+")
"""The words of a name."""


def name_of(column: str) -> str:
    """Return a column's name in lower case, without anything but letters and digits."""
    return "".join(PARTS.findall(unicodedata.normalize("NFKC", column).casefold()))


def is_people_name(column: str) -> bool:
    """Check whether a column's name says that it holds people."""
    return name_of(column) in EMAILS | PHONES | {"externalid"}
