"""The words and sentence templates of the bundled model: everyday Danish, some English and German.

A template is a sentence with `{class}` slots; a class is a list of alternatives that may themselves
contain slots. It does not know how sentences are drawn; that is grammar.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Lexicon:
    """One language: its templates and, for each slot, the alternatives that may fill it."""

    templates: tuple[str, ...]
    classes: Mapping[str, tuple[str, ...]]


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _phrases(text: str) -> tuple[str, ...]:
    return tuple(phrase.strip() for phrase in text.split("|"))


# Small numbers are frequent on purpose: they carry no context, so the model has to listen.
DANISH = Lexicon(
    templates=_phrases(
        "{vehicle} til {city} {departs} klokken {hour} {daytime} | "
        "{who} {buys} {number} {colour} {things} på {day} | "
        "{who} {buys} {number} {quality} {things} | "
        "den {trait} {animal} {moves} {where} | "
        "det {rains} i {city} {when} | "
        "{who} drikker {warmth} {drink} {daytime} | "
        "{who} rejser til {city} i {month} | "
        "{who} bor i {city} tæt på {place} | "
        "vi mødes ved {place} klokken {hour} | "
        "de {colour} {things} koster {number} kroner | "
        "jeg har {number} {quality} {things} i {room} | "
        "{place} {opens} klokken {hour} på {day} | "
        "i {month} er vejret {weather} i {city} | "
        "husk at købe {food} og {food} | "
        "{who} arbejder {workplace} {season} | "
        "{name} og {name} spiller {game} {daytime} | "
        "hver {day} {cleans} {who} {possession} | "
        "mødet begynder klokken {hour} og slutter klokken {hour} | "
        "{who} fylder {number} år i {month} | "
        "der er {number} {people} i {room} | "
        "{who} læser en {trait_a} {reading} om {topic} | "
        "{owner} {device} er {state} | "
        "{greeting} {name} | "
        "{name} {sees} {number} {people} ved {place} | "
        "{animals} {moves} {where} {season} | "
        "{season} sælger {name} {things} og {food}"
    ),
    classes={
        "name": _words(
            "Anna Peter Mette Lars Sofie Jens Emil Freja Oskar Karen Niels Camilla Thomas Ulla"
        ),
        "who": _phrases("{name} | {name} | {owner} {relative} | {owner} {relative}"),
        "owner": _words("min vores hans hendes din"),
        "relative": _words(
            "søster bror mor far nabo onkel tante lærer chef kone veninde mormor fætter datter læge"
        ),
        "city": _words(
            "København Aarhus Odense Aalborg Esbjerg Randers Kolding Vejle Roskilde Svendborg "
            "Skagen Ribe Viborg Herning Sønderborg Berlin"
        ),
        "day": _words("mandag tirsdag onsdag torsdag fredag lørdag søndag"),
        "month": _words(
            "januar februar marts april maj juni juli august september oktober november december"
        ),
        "hour": _phrases("{clock} | {clock} | halv {clock} | kvart over {clock} | kvart i {clock}"),
        "clock": _words("et to tre fire fem seks syv otte ni ti elleve tolv"),
        "number": _words(
            "to tre fire fem seks syv otte ni ti elleve tolv tretten fjorten femten seksten "
            "sytten atten nitten tyve tredive fyrre halvtreds hundrede tusind"
        ),
        "colour": _words("røde grønne blå gule sorte hvide brune grå lilla"),
        "quality": _words("store små nye gamle billige dyre friske smukke tunge"),
        "trait": _words("sorte hvide brune store lille gamle glade trætte hurtige"),
        "trait_a": _words("gammel spændende kort kedelig tyk"),
        "things": _words(
            "æbler pærer kartofler bøger blomster kager stole gulerødder jakker cykler tasker "
            "nøgler lamper breve kopper billeder bananer tallerkener skjorter handsker løg"
        ),
        "animal": _words("hund kat hest ko fugl gris mus ræv kanin gås"),
        "animals": _words("hundene kattene hestene fuglene børnene"),
        "moves": _words("sover løber leger hopper sidder ligger"),
        "where": _phrases(
            "under bordet | bag døren | i haven | på taget | ved søen | i skoven | på gulvet | "
            "foran huset | ved vinduet | i græsset | under træet | på broen"
        ),
        "room": _words("køkkenet stuen haven kælderen klassen gangen soveværelset"),
        "rains": _words("regner sner blæser tordner"),
        "when": _phrases("på {day} | i dag | i morgen | {daytime} | {season}"),
        "drink": _words("kaffe te mælk vand saft kakao"),
        "warmth": _words("varm kold sød"),
        "daytime": _phrases(
            "om morgenen | om aftenen | om natten | om eftermiddagen | om formiddagen"
        ),
        "season": _phrases("om sommeren | om vinteren | om foråret | om efteråret"),
        "place": _words(
            "stationen skolen butikken biblioteket kirken hospitalet museet havnen stranden "
            "banken apoteket teatret lufthavnen rådhuset"
        ),
        "opens": _words("åbner lukker"),
        "workplace": _phrases(
            "på hospitalet | i banken | på skolen | i lufthavnen | på et kontor | på en fabrik"
        ),
        "vehicle": _words("toget bussen færgen flyet"),
        "departs": _words("kører ankommer standser afgår"),
        "buys": _words("køber henter sælger finder bærer tegner vasker glemmer"),
        "weather": _words("koldt varmt mildt dårligt dejligt vådt"),
        "food": _words("brød smør ost ris suppe sukker salt honning marmelade rugbrød peber"),
        "game": _words("fodbold skak håndbold klaver guitar tennis violin"),
        "cleans": _words("vasker maler pudser reparerer"),
        "possession": _words("bilen båden hegnet trappen cyklen gryden"),
        "people": _words("børn gæster elever turister soldater musikere kvinder mænd"),
        "reading": _words("bog avis historie rapport"),
        "topic": _words("heste skibe stjerner krigen planter musik kunst politik"),
        "device": _words("telefon computer cykel bil paraply kuffert"),
        "state": _phrases("gået i stykker | blevet stjålet | helt ny | meget gammel | for dyr"),
        "greeting": _phrases(
            "goddag | farvel | velkommen hjem | god weekend | tillykke med dagen | tak for maden"
        ),
        "sees": _words("ser møder tæller"),
    },
)

# espeak-ng speaks "in the" and "for the" as one word without a time between: no such pairs here.
ENGLISH = Lexicon(
    templates=_phrases(
        "{who} {buys} {number} {colour} {things} on {day} | "
        "the {vehicle} to {city} leaves at {clock} this {daytime} | "
        "{who} lives near the {place} | "
        "the {colour} {animal} {moves} {where} | "
        "we drink {drink} every {daytime} | "
        "{who} travels to {city} in {month} | "
        "the {place} opens at {clock} on {day} | "
        "thank you for these {things}"
    ),
    classes={
        "name": _words("John Mary Kate Henry"),
        "who": _phrases("{name} | my {relative} | her {relative}"),
        "relative": _words("sister brother mother father"),
        "buys": _words("buys sells finds"),
        "number": _words("three four five six seven eight nine twelve twenty"),
        "clock": _words("three four five six seven eight nine twelve"),
        "colour": _words("red green yellow black white"),
        "things": _words("apples books flowers chairs letters cups"),
        "day": _words("Monday Tuesday Thursday Saturday Sunday"),
        "month": _words("January March June October"),
        "vehicle": _words("train bus ferry"),
        "city": _words("London Paris Boston Chicago"),
        "daytime": _words("morning evening afternoon"),
        "place": _words("school station church library"),
        "animal": _words("dog cat horse bird"),
        "moves": _words("sleeps runs plays"),
        "where": _phrases("under the table | behind the house | beside my window"),
        "drink": _words("coffee water milk"),
    },
)

GERMAN = Lexicon(
    templates=_phrases(
        "{who} {buys} {number} {colour} {things} am {day} | "
        "der {vehicle} nach {city} kommt um {clock} Uhr | "
        "{who} wohnt in {city} | "
        "das {animal} {moves} {where} | "
        "wir trinken {drink} am {daytime} | "
        "{who} reist im {month} nach {city} | "
        "{place} öffnet um {clock} Uhr | "
        "vielen Dank für die {things}"
    ),
    classes={
        "name": _words("Hans Greta Jürgen Heidi"),
        "who": _phrases("{name} | meine {relative} | ihre {relative}"),
        "relative": _words("Schwester Mutter Tochter Freundin"),
        "buys": _words("kauft verkauft findet"),
        "number": _words("zwei drei vier fünf sechs sieben acht zwölf zwanzig"),
        "clock": _words("zwei drei vier fünf sechs sieben acht zwölf"),
        "colour": _words("rote grüne schwarze weiße gelbe"),
        "things": _words("Äpfel Bücher Blumen Stühle Briefe Tassen"),
        "day": _words("Montag Dienstag Mittwoch Freitag Samstag"),
        "month": _words("Januar März Juni Oktober"),
        "vehicle": _words("Zug Bus"),
        "city": _words("Berlin Hamburg München Wien"),
        "daytime": _words("Morgen Abend Nachmittag"),
        "place": _phrases("die Schule | der Bahnhof | die Kirche | das Rathaus"),
        "animal": _words("Pferd Schaf Kind Mädchen"),
        "moves": _words("schläft läuft spielt"),
        "where": _phrases("unter dem Tisch | hinter dem Haus | im Garten"),
        "drink": _words("Kaffee Wasser Milch"),
    },
)

LEXICONS: Mapping[str, Lexicon] = {"da": DANISH, "en": ENGLISH, "de": GERMAN}
