r"""Filter policies: which messages a subscription gets. The grammar is that of Amazon SNS.

    {
        "store": ["example_corp"],
        "event": [{"anything-but": "order_cancelled"}],
        "price": [{"numeric": [">=", 100]}]
    }

All keys must match, each by one of its values. With the scope `body` the keys are those of the body, which
must be a JSON object, and an object in the policy stands for an object in the body. With the scope
`attributes` they are the names of the message's attributes.

====================================  ==================================================================
`"text"`, `100`, `true`, `null`       the same; numbers by value, so 100 is 1e2
`{"prefix": "a"}`, `{"suffix": "z"}`  text that begins or ends so
`{"equals-ignore-case": "text"}`      text that is the same but for capital letters
`{"wildcard": "a*z"}`                 text in which `*` is anything; `\*` is a star, `\\` a backslash
`{"cidr": "10.0.0.0/8"}`              text that is an address in this network
`{"numeric": [">", 0, "<=", 150]}`    a number in this range; or `=`, `<`, `<=`, `>`, `>=` alone
`{"exists": true}`                    anything but null, empty text, an empty list and an object
`{"exists": false}`                   whenever `true` does not match
`{"anything-but": …}`                 a value that is none of these: a value or a list of values, or
                                      an object of `prefix`, `suffix`, `equals-ignore-case` or
                                      `wildcard`, each with one text or a list of them
`"$or": [{…}, {…}]`                   in place of a key: one of these objects must match
====================================  ==================================================================

Lists in a body are looked through, however deep: one element that matches is enough, for `anything-but` as
well. What is written in one object of the policy must hold of one and the same element of a list of objects.
Where the body has no object for one, it is as if it had an empty one.

Attributes are text. One that is a number is compared with numbers as well, and one that is the text of a JSON
list is what its elements are: SNS's types Number and String.Array, which attributes do not have here.

Sources: Amazon SNS Developer Guide, "Subscription filter policies" (key matching, string and numeric value
matching, AND/OR logic, filter policy constraints), and where it says nothing, the README of aws/event-ruler.
As there:

- at most 5 keys, nested ones not counted; at most 150 combinations, where a key deeper down counts for more;
  256 KiB of JSON;
- a message without any attribute matches no filter of attributes, not even `exists: false`;
- `{}` is no filter: every message matches;
- `$or` is a key as any other, unless it is a list of objects none of which has an operator as a key.

Kinder than SNS: numbers are exact, and whole ones may have 100 digits, where SNS has five decimal places up
to a billion; `$or` may have one object only; `anything-but` may mix text and numbers, and have true, false
and null; a wildcard may have any number of stars; `cidr` may be one address, or that of a host with the bits
of its network. Other than in SNS a dot in a key is a character as any other: `a.b` is not `b` in `a`. What
takes long is limited as well (`policy.MOST_POINTS`): to 30 wildcards, say, or 15 keys in objects.

What a message costs: its body is decoded once, what is at a key is gone through once, whatever choices ask of
it, and each value is compared once with what is asked of that key. 64 KiB take half a second at worst. What
cannot be decoded matches nothing; whatever a message has in it, nothing is raised.
"""
