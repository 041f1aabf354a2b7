"""The grammar of SOQL, for lark's LALR parser with its contextual lexer.

Keywords of SOQL are not reserved (`Group` and `Order` are sObjects), so each is a terminal that only counts where
the grammar can take it; a name wins everywhere else. _AND and _OR cannot be mixed on one level, as in Salesforce.
"""

GRAMMAR = r"""
query: _SELECT selected ("," selected)* _FROM source ("," source)* scope where security group having order limit offset purposes all_rows

?selected: expression NAME?  -> select_expression
         | FIELDS "(" NAME ")"  -> field_set
         | "(" query ")"  -> child_query
         | TYPEOF NAME when+ otherwise? _END  -> type_of
when: _WHEN NAME _THEN path ("," path)*
otherwise: _ELSE path ("," path)*

source: NAME (_AS? NAME)?
scope: (_USING_SCOPE NAME)?
where: (_WHERE condition)?
security: (_WITH NAME)?
group: _GROUP_BY expression ("," expression)*  -> group_plain
     | _GROUP_BY _ROLLUP "(" expression ("," expression)* ")"  -> group_rollup
     | _GROUP_BY _CUBE "(" expression ("," expression)* ")"  -> group_cube
     |                                             -> no_group
having: (_HAVING condition)?
order: (_ORDER_BY order_key ("," order_key)*)?
order_key: expression (ASC | DESC)? (NULLS_FIRST | NULLS_LAST)?
limit: (_LIMIT NUMBER)?
offset: (_OFFSET NUMBER)?
purposes: purpose*
purpose: FOR NAME ("," NAME)*
       | UPDATE NAME ("," NAME)*
all_rows: ALL_ROWS?

bare_condition: condition

?condition: term
          | term (_AND term)+  -> and_
          | term (_OR term)+  -> or_
?term: _NOT term  -> not_
     | "(" condition ")"
     | expression OPERATOR value  -> compare
     | expression _LIKE value  -> like
     | expression _IN "(" value ("," value)* ")"  -> in_values
     | expression _NOT_IN "(" value ("," value)* ")"  -> not_in_values
     | expression _IN "(" query ")"  -> in_query
     | expression _NOT_IN "(" query ")"  -> not_in_query
     | expression _INCLUDES "(" value ("," value)* ")"  -> includes
     | expression _EXCLUDES "(" value ("," value)* ")"  -> excludes

?expression: path | call
path: NAME
call: NAME "(" (argument ("," argument)*)? ")"
?argument: path | call | text | number

?value: text | number | boolean | null | date | date_time | date_range | currency
text: STRING
number: NUMBER
boolean: TRUE | FALSE
null: NULL
date: DATE
date_time: DATETIME
date_range: DATE_RANGE
currency: CURRENCY

_SELECT.2: /SELECT\b/i
_FROM.2: /FROM\b/i
FIELDS.3: /FIELDS(?=\s*\()/i
TYPEOF.2: /TYPEOF\b/i
_WHEN.2: /WHEN\b/i
_THEN.2: /THEN\b/i
_ELSE.2: /ELSE\b/i
_END.2: /END\b/i
_AS.2: /AS\b/i
_USING_SCOPE.2: /USING\s+SCOPE\b/i
_WHERE.2: /WHERE\b/i
_WITH.2: /WITH\b/i
_GROUP_BY.2: /GROUP\s+BY\b/i
_ROLLUP.2: /ROLLUP(?=\s*\()/i
_CUBE.2: /CUBE(?=\s*\()/i
_HAVING.2: /HAVING\b/i
_ORDER_BY.2: /ORDER\s+BY\b/i
ASC.2: /ASC\b/i
DESC.2: /DESC\b/i
NULLS_FIRST.2: /NULLS\s+FIRST\b/i
NULLS_LAST.2: /NULLS\s+LAST\b/i
_LIMIT.2: /LIMIT\b/i
_OFFSET.2: /OFFSET\b/i
FOR.2: /FOR\b/i
UPDATE.2: /UPDATE\b/i
ALL_ROWS.2: /ALL\s+ROWS\b/i
_AND.2: /AND\b/i
_OR.2: /OR\b/i
_NOT_IN.3: /NOT\s+IN\b/i
_NOT.2: /NOT\b/i
_LIKE.2: /LIKE\b/i
_IN.2: /IN\b/i
_INCLUDES.2: /INCLUDES\b/i
_EXCLUDES.2: /EXCLUDES\b/i
TRUE.2: /TRUE\b/i
FALSE.2: /FALSE\b/i
NULL.2: /NULL\b/i

OPERATOR: /!=|<>|<=|>=|=|<|>/
STRING: /'(?:[^'\\]|\\[\s\S])*'/
DATETIME.5: /\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)/i
DATE.4: /\d{4}-\d\d-\d\d(?![\dT])/
NUMBER.3: /[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?![\w.])/
DATE_RANGE.3: /(?:(?:YESTERDAY|TODAY|TOMORROW|(?:LAST|THIS|NEXT)_(?:WEEK|MONTH|QUARTER|YEAR|FISCAL_QUARTER|FISCAL_YEAR)|(?:LAST|NEXT)_90_DAYS)\b|(?:LAST_N|NEXT_N|N)_(?:DAYS|WEEKS|MONTHS|QUARTERS|YEARS|FISCAL_QUARTERS|FISCAL_YEARS)(?:_AGO)?\s*:\s*\d+\b)/i
CURRENCY: /[A-Za-z]{3}\d+(?:\.\d+)?\b/
NAME: /(?!(?i:FROM|SELECT)\b)[A-Za-z_]\w*(?:\s*\.\s*[A-Za-z_]\w*)*/

%ignore /[ \t\r\n\f]+/
"""
